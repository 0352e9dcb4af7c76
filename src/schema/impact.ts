import type { CatalogObject } from '../database/catalog.js'
import { isPartition } from './describe.js'
import { type Finding, objectOf } from './finding.js'
import type { Severity } from './gap.js'

/** How grave a difference is, and what it means. */
export interface Judgement {
  readonly severity: Severity
  readonly impact: string
}

/**
 * Judges a difference from the point of view of code that was written for the reference
 * and works with the examined database.
 */
export function judge(finding: Finding): Judgement {
  if (finding.change === 'renamed') return renamed(finding)
  const object = finding.reference ?? objectOf(finding)
  const rules = isPartition(object) ? partitionRules : rulesOf[object.kind]
  const rule = rules[finding.change]
  return typeof rule === 'function' ? rule(finding, object) : rule
}

type Rule = Judgement | ((finding: Finding, object: CatalogObject) => Judgement)

interface Rules {
  readonly missing: Rule
  readonly extra: Rule
  readonly different: Rule
}

const breaking = (impact: string): Judgement => ({ severity: 'breaking', impact })
const risky = (impact: string): Judgement => ({ severity: 'risky', impact })
const cosmetic = (impact: string): Judgement => ({ severity: 'cosmetic', impact })

function renamed({ actual }: Finding): Judgement {
  return cosmetic(`it is there as ${actual?.identity}; only a migration that names it fails`)
}

const partitionRules: Rules = {
  missing: risky('rows of its range go to the default partition, or are refused where there is none'),
  extra: cosmetic('rows of its range are kept apart; nothing has to know of it'),
  different: ({ differs }) =>
    differs.includes('bound')
      ? risky('rows go to other partitions than expected; whoever drops one by its name drops other rows')
      : tableDiffers(differs),
}

const rulesOf: Readonly<Record<CatalogObject['kind'], Rules>> = {
  extension: {
    missing: breaking('its types, functions and operators are not there, and what uses them fails'),
    extra: cosmetic('nothing of the reference needs it'),
    different: ({ differs }) =>
      differs.includes('schema')
        ? risky('its objects are in another schema, where unqualified names may not find them')
        : cosmetic('another version of the extension; its own release notes say what that changes'),
  },
  schema: {
    missing: breaking('nothing in it can be found or made'),
    extra: cosmetic('nothing of the reference is in it'),
    different: cosmetic('it differs'),
  },
  type: {
    missing: breaking('columns, functions and casts of this type cannot be made, and values of it cannot be written'),
    extra: cosmetic('nothing of the reference uses it; a migration that makes it fails'),
    different: typeDiffers,
  },
  table: {
    missing: breaking('every read and write of it fails'),
    extra: risky('no migration knows it: none carries it over, and one that makes a table of this name fails'),
    different: ({ differs }) => tableDiffers(differs),
  },
  hypertable: {
    missing: risky('rows are not split into chunks, so dropping, compressing and pruning by time do not work'),
    extra: risky('it is split into chunks, which refuses unique keys without the time column'),
    different: risky('chunks are cut otherwise, which changes how much a query by time reads'),
  },
  column: { missing: columnMissing, extra: columnExtra, different: columnDiffers },
  sequence: {
    missing: breaking('whatever takes its next number fails'),
    extra: cosmetic('nothing of the reference takes numbers from it'),
    different: risky('it gives other numbers, or ends elsewhere, than the code expects'),
  },
  constraint: { missing: constraintMissing, extra: constraintExtra, different: constraintDiffers },
  index: { missing: indexMissing, extra: indexExtra, different: indexDiffers },
  statistics: {
    missing: cosmetic('the planner estimates worse, which can make it choose slower plans'),
    extra: cosmetic('analyze takes a little longer, the planner estimates better'),
    different: cosmetic('the planner estimates otherwise'),
  },
  function: {
    missing: breaking('every call of it fails, in code as well as in defaults, triggers and policies'),
    extra: cosmetic('nothing of the reference calls it; beside one of the same name a call may become ambiguous'),
    different: risky('it does something else than the reference says'),
  },
  view: {
    missing: breaking('every read of it fails'),
    extra: cosmetic('nothing of the reference reads it; it stands in the way of changes to the tables below it'),
    different: viewDiffers,
  },
  'materialized view': {
    missing: breaking('every read of it fails'),
    extra: cosmetic('nothing of the reference reads it; it stands in the way of changes to the tables below it'),
    different: viewDiffers,
  },
  'continuous aggregate': {
    missing: risky('the view is not kept up by TimescaleDB'),
    extra: cosmetic('TimescaleDB keeps up a view that the reference does not keep up'),
    different: risky('it answers otherwise than the reference says'),
  },
  trigger: {
    missing: risky('what it did on every write (keep up, log, refuse) does not happen'),
    extra: risky('every write does something that the reference does not know of'),
    different: ({ differs, actual }) =>
      differs.includes('enabled')
        ? risky(enabledImpact(actual))
        : risky('it fires on other occasions, or does something else, than the reference says'),
  },
  rule: {
    missing: risky('statements are not rewritten as the reference says'),
    extra: risky('statements are rewritten in a way that the reference does not know of'),
    different: risky('statements are rewritten otherwise than the reference says'),
  },
  policy: { missing: policyMissing, extra: policyExtra, different: policyDiffers },
  comment: {
    missing: cosmetic('people and tools that read comments miss it'),
    extra: cosmetic('people and tools that read comments see it'),
    different: cosmetic('people and tools that read comments see another text'),
  },
}

function typeDiffers({ reference, actual, differs }: Finding, { detail }: CatalogObject): Judgement {
  if (detail === 'e') return enumDiffers(reference, actual)
  if (detail === 'c') return breaking('values written as rows have their parts in other places')
  if (detail === 'd' && !differs.includes('collation'))
    return risky('it takes other values, or fills in another default, than the reference says')
  return risky('values are compared otherwise than the reference says')
}

function enumDiffers(reference: CatalogObject | undefined, actual: CatalogObject | undefined): Judgement {
  const [wanted, found] = [labelsOf(reference), labelsOf(actual)]
  const missing = wanted.filter((label) => !found.includes(label))
  const extra = found.filter((label) => !wanted.includes(label))
  if (missing.length > 0) return breaking(`writing ${missing.join(', ')} fails`)
  if (extra.length > 0) return risky(`rows may hold ${extra.join(', ')}, which code does not know`)
  return risky('its values sort in another order')
}

/** The labels as quoted literals. */
function labelsOf(object: CatalogObject | undefined): readonly string[] {
  return object?.facts['definition']?.match(/E?'(?:[^']|'')*'/g) ?? []
}

function tableDiffers(differs: readonly string[]): Judgement {
  const name = differs.find((fact) => tableFacts[fact])
  return (name ? tableFacts[name] : undefined) ?? cosmetic('it is stored or maintained otherwise; results are the same')
}

/** The gravest first. */
const tableFacts: Readonly<Record<string, Judgement>> = {
  'row security': breaking(
    'policies hold on one side only: rows are hidden from those who need them, or shown to those who may not see them',
  ),
  form: breaking('it is partitioned otherwise, so partitions and unique keys of the reference cannot be made'),
  bound: breaking('it is a partition on one side only'),
  inherits: risky('reads of the table above it find other rows'),
  persistence: risky('an unlogged table is emptied by a crash and is not replicated'),
  'forced row security': risky('policies hold for the owner of the table on one side only'),
  'replica identity': risky('logical replication of updates and deletes finds rows otherwise'),
  server: risky('its rows come from somewhere else'),
}

function columnMissing(_finding: Finding, { detail }: CatalogObject): Judgement {
  if (detail === 'c') return breaking('values of the type lack this part, and code that names it fails')
  return breaking('reads and writes of newer code that name it fail')
}

function columnExtra(_finding: Finding, { facts, detail }: CatalogObject): Judgement {
  if (detail === 'c') return breaking('values written as rows have one part too few')
  if (facts['not null'] && !facts['default'] && !facts['identity'])
    return breaking('inserts that do not name it fail, because it is required and has no default')
  return risky('select * and copy see it, and a migration that adds it fails')
}

function columnDiffers({ reference, actual, differs }: Finding): Judgement {
  if (differs.includes('type'))
    return breaking(
      `its type is ${actual?.facts['type']} instead of ${reference?.facts['type']}: values may be refused, cut or compared otherwise`,
    )
  if (differs.includes('not null'))
    return actual?.facts['not null']
      ? breaking('writes of NULL, which the reference allows, fail')
      : risky('it can hold NULL, which code does not expect')
  if (differs.includes('identity') || isGenerated(reference) !== isGenerated(actual))
    return breaking('its values are generated on one side only: inserts that leave it out, or name it, fail')
  if (differs.includes('default')) return risky('inserts that leave it out store something else')
  if (differs.includes('collation')) return risky('its texts sort and compare otherwise, and unique indexes with them')
  return cosmetic('it is stored or estimated otherwise; results are the same')
}

function isGenerated(column: CatalogObject | undefined): boolean {
  return column?.facts['default']?.startsWith('generated ') ?? false
}

type ConstraintType = 'p' | 'u' | 'c' | 'x' | 'f' | 'n'

const missingConstraints: Readonly<Record<ConstraintType, Judgement>> = {
  p: breaking('rows can be there twice or without a key, on conflict fails, and replication cannot tell rows apart'),
  u: breaking('duplicates are possible, and on conflict on its columns fails'),
  c: risky('values that it refuses can get in'),
  x: risky('rows that exclude each other can get in'),
  f: risky('orphans are possible, and deletes do not cascade or are not refused'),
  n: risky('rows with NULL may be there'),
}

function constraintMissing(_finding: Finding, { detail }: CatalogObject): Judgement {
  return missingConstraints[detail as ConstraintType]
}

function constraintExtra(_finding: Finding, { detail, facts }: CatalogObject): Judgement {
  if (detail === 'n') return risky('its NOT NULL was never validated, so rows with NULL may be there')
  const validated = !facts['definition']?.includes('NOT VALID')
  const what = detail === 'f' ? 'writes and deletes' : 'writes'
  return risky(
    `${what} that the reference allows are refused${validated ? '' : '; rows from before it were never checked'}`,
  )
}

function constraintDiffers({ reference, actual }: Finding, { detail }: CatalogObject): Judgement {
  const [wanted = '', found = ''] = [reference?.facts['definition'], actual?.facts['definition']]
  if (found === `${wanted} NOT VALID`) return risky('it was never validated, so older rows may break it')
  if (found === `${wanted} NOT ENFORCED`) return risky('it is declared but not enforced, so any row may break it')
  if (wanted === `${found} NOT VALID`) return cosmetic('it is validated here, which the reference only plans')
  if (detail === 'p' || detail === 'u')
    return breaking('other rows count as duplicates, and on conflict on its columns fails')
  if (detail === 'f') return risky('it refers to something else, or does something else on delete or update')
  return risky('it refuses other rows than the reference says')
}

function indexMissing(_finding: Finding, { detail }: CatalogObject): Judgement {
  if (detail === 'unique')
    return breaking('duplicates are possible, on conflict on its columns fails, and reads by them are slower')
  return risky('reads that it serves are slower: they scan the table')
}

function indexExtra(_finding: Finding, { detail, facts }: CatalogObject): Judgement {
  if (facts['validity'] === 'invalid') return risky('it is invalid: it costs every write and serves no read')
  if (detail === 'unique') return risky('duplicates that the reference allows are refused')
  return cosmetic('every write is a little slower, and it takes space')
}

function indexDiffers({ reference, actual, differs }: Finding): Judgement {
  if (differs.includes('validity'))
    return actual?.facts['validity'] === 'invalid'
      ? risky('it is invalid: it costs every write, serves no read and enforces nothing')
      : cosmetic('it is valid here and invalid in the reference')
  if (reference?.detail !== actual?.detail)
    return actual?.detail === 'unique'
      ? risky('it refuses duplicates that the reference allows')
      : breaking('it is not unique here: duplicates are possible, and on conflict on its columns fails')
  if (!differs.includes('definition')) return cosmetic('the table is clustered or identified by it on one side only')
  if (reference?.detail === 'unique')
    return breaking('other rows count as duplicates, and on conflict on its columns may fail')
  return risky('it serves other reads than the reference says, so some are slower')
}

function viewDiffers({ differs }: Finding): Judgement {
  if (differs.includes('definition')) return risky('it answers otherwise than the reference says')
  if (differs.includes('populated')) return breaking('it holds no data yet on one side, and reads of it fail there')
  return risky('it runs with other options, such as whose rights it uses')
}

function enabledImpact(trigger: CatalogObject | undefined): string {
  if (trigger?.facts['enabled'] === 'enabled D') return 'it is disabled, so what it did on every write does not happen'
  return 'it fires for other sessions (replication or ordinary ones) than the reference says'
}

function policyMissing(_finding: Finding, { detail }: CatalogObject): Judgement {
  return detail === 'restrictive'
    ? breaking('rows are shown or can be written that it keeps back')
    : breaking('rows that it shows are hidden, and writes that it allows are refused')
}

function policyExtra(_finding: Finding, { detail }: CatalogObject): Judgement {
  return detail === 'restrictive'
    ? breaking('rows that the reference shows are hidden, and writes that it allows are refused')
    : breaking('rows are shown or can be written that the reference keeps back')
}

function policyDiffers(): Judgement {
  return breaking('other rows are shown, or can be written, than the reference says')
}
