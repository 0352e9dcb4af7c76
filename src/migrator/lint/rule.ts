import type { StatementEffect } from '../effects/effects.js'
import type { Direction, Migration, Script } from '../migration.js'
import type { TableName } from '../preservation/touched-tables.js'
import type { Node, Statement } from '../statements/statements.js'
import type { SchemaModel } from './schema-model.js'

/** How grave a finding is, gravest first. */
export const lintSeverities = ['error', 'warning', 'notice'] as const
export type LintSeverity = (typeof lintSeverities)[number]

/** What a rule found; where nothing else is said, at the statement. */
export interface Complaint {
  /** What is wrong, with names: `create index on traces blocks its writers while it is built`. */
  readonly message: string
  /** What to write instead, when it can be said more exactly than the rule does. */
  readonly safer?: string
  /** Which statement of the script it is about, when a whole script is looked at. */
  readonly statement?: Statement
}

/** One statement and what is known when it runs. */
export interface Subject {
  readonly statement: Statement
  /** The kind of its tree and what it holds. */
  readonly kind: string
  readonly content: Node
  readonly effect: StatementEffect
  readonly script: ScriptSubject
  /** What another statement of the script does. */
  effectOf(statement: Statement): StatementEffect
  /** The statements of the transaction that it runs in, itself included. */
  readonly transaction: readonly Statement[]
  /** The schema before the statement. */
  readonly model: SchemaModel
  /** Whether a table exists before this run and may hold rows. */
  inUse(table: TableName): boolean
  /** A table's name, with its rows when they are known. */
  describe(table: TableName): string
}

/** One script of a migration. */
export interface ScriptSubject {
  readonly migration: Migration
  readonly direction: Direction
  readonly script: Script
  /** All statements in order, those between `begin` and `commit` one by one. */
  readonly statements: readonly Statement[]
  readonly serverVersion: number
  /** What each statement does, in order. */
  readonly effects: readonly StatementEffect[]
}

/** A migration with everything that belongs to it on one platform. */
export interface MigrationSubject {
  readonly migration: Migration
  readonly up: ScriptSubject | undefined
  readonly down: ScriptSubject | undefined
  /** Whether there is a down at all, in SQL or not. */
  readonly hasDown: boolean
  /** The schema after the last migration. */
  readonly final: SchemaModel
}

/** A dangerous change that lint knows. */
export interface Rule {
  readonly id: string
  readonly severity: LintSeverity
  /** What it looks for, in a line. */
  readonly summary: string
  /** What happens otherwise. */
  readonly why: string
  /** What to do instead. */
  readonly safer: string
  /** Looks at one statement at a time. */
  readonly test?: (subject: Subject) => readonly Complaint[]
  /** Whether it looks at the statements of down files as well. */
  readonly alsoDown?: boolean
  /** Looks at a migration as a whole. */
  readonly testMigration?: (subject: MigrationSubject) => readonly Complaint[]
  /** Whether what `testMigration` finds is about the down file rather than the up file. */
  readonly about?: Direction
}

/** Something that lint found. */
export interface Finding {
  readonly rule: string
  readonly severity: LintSeverity
  readonly message: string
  readonly safer: string
  readonly version: number
  readonly migration: string
  readonly direction: Direction
  readonly location: Region
}

/** The statement that a finding is about. */
export interface Region {
  /** Absolute path. */
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  /** One past the last character. */
  readonly endColumn: number
  readonly snippet: string
}
