import type { Adopted } from '../../migrator/history/adopt.js'
import type { Migration } from '../../migrator/migration.js'
import { formatTime } from '../../terminal/format.js'
import { renderTable } from '../../terminal/table.js'

/** The JSON form of migrations that were taken for applied. */
export function adoptedJson(adopted: readonly Adopted[]) {
  return adopted.map(({ migration: { version, name }, appliedAt }) => ({
    version,
    name,
    applied_at: appliedAt?.toISOString() ?? null,
  }))
}

export function idsJson(migrations: readonly Migration[]) {
  return migrations.map(({ version, name }) => ({ version, name }))
}

export function adoptedTable(adopted: readonly Adopted[]): string {
  return renderTable(
    [{ title: 'version', align: 'right' }, { title: 'name' }, { title: 'applied at' }],
    adopted.map(({ migration: { version, name }, appliedAt }) => [
      String(version),
      name,
      appliedAt ? formatTime(appliedAt) : 'not known',
    ]),
  )
}

/** A few by name, the others by number. */
export function idsOf(migrations: readonly Migration[], most = 10): string {
  const names = migrations.slice(0, most).map((migration) => migration.id)
  const more = migrations.length - names.length
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ')
}
