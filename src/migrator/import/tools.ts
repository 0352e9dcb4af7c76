import { dbmate } from './dbmate.js'
import { flyway } from './flyway.js'
import type { Tool } from './foreign-history.js'
import { golangMigrate } from './golang-migrate.js'
import { goose } from './goose.js'
import { knex } from './knex.js'
import { kysely } from './kysely.js'
import { nodePgMigrate } from './node-pg-migrate.js'

/** The tools whose history obs can take over. */
export const tools: readonly Tool[] = [golangMigrate, dbmate, goose, flyway, nodePgMigrate, kysely, knex]
