/**
 * How an answer wants to be read, without saying how it is drawn.
 *
 * A KPI describes its answer in these words; what they look like on a terminal is
 * the renderer's business.
 */
export type Section = FigureSection | SeriesSection | GridSection

/** A few headline numbers, each with its change against the period before. */
export interface FigureSection {
  readonly kind: 'figures'
  readonly title: string
  readonly figures: readonly Figure[]
}

export interface Figure {
  readonly label: string
  readonly value: number | null
  readonly unit: Unit
  /** Now minus the period before, in the number's own unit; null or absent when there is nothing to compare with. */
  readonly change?: number | null
  readonly change_percent?: number | null
  /** Which direction is good news. */
  readonly better?: Better
}

/** Numbers over time, evenly spaced. */
export interface SeriesSection {
  readonly kind: 'series'
  readonly title: string
  readonly unit: Unit
  readonly points: readonly SeriesPoint[]
}

export interface SeriesPoint {
  readonly at: string
  readonly value: number
}

export interface GridSection {
  readonly kind: 'grid'
  readonly title: string
  readonly columns: readonly GridColumn[]
  readonly rows: readonly (readonly GridCell[])[]
  /** What to say when there are no rows. */
  readonly empty?: string
}

export interface GridColumn {
  readonly title: string
  readonly unit: Unit | 'text' | 'change' | 'bar' | 'trend'
  readonly better?: Better
}

/** A number, a text, nothing, or a series of percentages for a column of unit `trend`. */
export type GridCell = number | string | null | readonly number[]

export type Unit = 'count' | 'ms' | 'percent' | 'usd' | 'score'
export type Better = 'higher' | 'lower' | 'neither'

/** One flat table: what the CSV form of an answer holds. */
export interface FlatTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | boolean | null)[])[]
}
