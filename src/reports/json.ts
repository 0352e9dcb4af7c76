import type { ValidationResult } from '../validators/result.js'

/** The result as one JSON document. */
export function jsonReport(result: ValidationResult): string {
  return JSON.stringify(result, null, 2)
}
