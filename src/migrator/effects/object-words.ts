/** What the parser calls an object, in SQL's words: `OBJECT_MATVIEW` is a materialized view. */
export function objectWords(type: string): string {
  return (
    special[type] ??
    type
      .replace(/^OBJECT_/, '')
      .toLowerCase()
      .replaceAll('_', ' ')
  )
}

const special: Readonly<Record<string, string>> = {
  OBJECT_MATVIEW: 'materialized view',
  OBJECT_TABCONSTRAINT: 'constraint',
  OBJECT_DOMCONSTRAINT: 'constraint on domain',
  OBJECT_STATISTIC_EXT: 'statistics',
  OBJECT_FOREIGN_SERVER: 'server',
  OBJECT_FDW: 'foreign data wrapper',
  OBJECT_TSCONFIGURATION: 'text search configuration',
  OBJECT_TSDICTIONARY: 'text search dictionary',
}
