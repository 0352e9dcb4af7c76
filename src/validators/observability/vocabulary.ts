/** The words that columns of traces may hold. */
export const statuses = ['success', 'error', 'timeout'] as const

export const environmentCodes = ['production', 'staging', 'development'] as const

export const departmentCodes = [
  'engineering',
  'sales',
  'support',
  'marketing',
  'finance',
  'hr',
  'operations',
  'product',
  'data',
  'legal',
] as const

export const intents = [
  'code_generation',
  'customer_support',
  'data_analysis',
  'content_creation',
  'automation',
  'research',
  'translation',
  'general_assistance',
] as const

export const segments = ['power_user', 'regular', 'new', 'dormant', 'struggling'] as const

/** Words as an SQL list, for the inside of `in (…)`; they are constants of this file, never input. */
export function sqlList(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ')
}
