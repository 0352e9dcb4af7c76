/** The eight things that users want, as the schema names them. */
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
export type Intent = (typeof intents)[number]

export interface AgentType {
  readonly name: string
  /** What most requests to an agent of this type are about. */
  readonly intent: Intent
}

export interface Department {
  readonly code: string
  readonly name: string
  readonly description: string
  readonly monthlyBudgetUsd: number
  readonly costCenter: string
  /** Three types of agents, whose intents are the department's three primary ones. */
  readonly types: readonly [AgentType, AgentType, AgentType]
  /** What its people talk about, in prompts. */
  readonly topics: readonly string[]
}

/** The ten departments of every workspace, with the names and budgets that the migration gives them. */
export const departments: readonly Department[] = [
  {
    code: 'engineering',
    name: 'Engineering',
    description: 'Writes, reviews and documents software',
    monthlyBudgetUsd: 50_000,
    costCenter: 'CC-1000',
    types: [
      { name: 'code-assistant', intent: 'code_generation' },
      { name: 'documentation-bot', intent: 'content_creation' },
      { name: 'review-helper', intent: 'automation' },
    ],
    topics: ['the payment service', 'the build pipeline', 'the login flow', 'the search index', 'the job queue'],
  },
  {
    code: 'data',
    name: 'Data',
    description: 'Analyses, pipelines and reports',
    monthlyBudgetUsd: 45_000,
    costCenter: 'CC-1100',
    types: [
      { name: 'sql-analyst', intent: 'data_analysis' },
      { name: 'pipeline-builder', intent: 'code_generation' },
      { name: 'report-writer', intent: 'research' },
    ],
    topics: ['weekly retention', 'the events table', 'the revenue dashboard', 'churn by plan', 'the nightly export'],
  },
  {
    code: 'product',
    name: 'Product',
    description: 'Roadmap, specifications and user feedback',
    monthlyBudgetUsd: 40_000,
    costCenter: 'CC-1200',
    types: [
      { name: 'spec-writer', intent: 'content_creation' },
      { name: 'feedback-analyst', intent: 'data_analysis' },
      { name: 'market-researcher', intent: 'research' },
    ],
    topics: ['the onboarding checklist', 'the mobile app', 'the pricing page', 'the beta programme', 'notifications'],
  },
  {
    code: 'marketing',
    name: 'Marketing',
    description: 'Campaigns, content and search',
    monthlyBudgetUsd: 35_000,
    costCenter: 'CC-2000',
    types: [
      { name: 'content-writer', intent: 'content_creation' },
      { name: 'campaign-planner', intent: 'research' },
      { name: 'localizer', intent: 'translation' },
    ],
    topics: ['the spring campaign', 'the newsletter', 'the product launch', 'the webinar', 'the landing page'],
  },
  {
    code: 'sales',
    name: 'Sales',
    description: 'Leads, proposals and accounts',
    monthlyBudgetUsd: 30_000,
    costCenter: 'CC-2100',
    types: [
      { name: 'lead-researcher', intent: 'research' },
      { name: 'proposal-writer', intent: 'content_creation' },
      { name: 'crm-updater', intent: 'automation' },
    ],
    topics: ['the renewal', 'the enterprise quote', 'the pilot', 'the partner deal', 'the discovery call'],
  },
  {
    code: 'support',
    name: 'Support',
    description: 'Tickets and conversations with customers',
    monthlyBudgetUsd: 25_000,
    costCenter: 'CC-2200',
    types: [
      { name: 'ticket-responder', intent: 'customer_support' },
      { name: 'triage-bot', intent: 'automation' },
      { name: 'reply-translator', intent: 'translation' },
    ],
    topics: ['a failed payment', 'a lost password', 'a late delivery', 'a duplicate invoice', 'a broken import'],
  },
  {
    code: 'operations',
    name: 'Operations',
    description: 'Workflows, incidents and logistics',
    monthlyBudgetUsd: 20_000,
    costCenter: 'CC-3000',
    types: [
      { name: 'workflow-runner', intent: 'automation' },
      { name: 'capacity-analyst', intent: 'data_analysis' },
      { name: 'incident-helper', intent: 'research' },
    ],
    topics: ['the warehouse move', 'the supplier contract', 'the on-call rota', 'stock levels', 'the backup schedule'],
  },
  {
    code: 'finance',
    name: 'Finance',
    description: 'Invoices, expenses and forecasts',
    monthlyBudgetUsd: 15_000,
    costCenter: 'CC-4000',
    types: [
      { name: 'forecast-analyst', intent: 'data_analysis' },
      { name: 'invoice-processor', intent: 'automation' },
      { name: 'policy-helper', intent: 'general_assistance' },
    ],
    topics: ['the quarterly close', 'travel expenses', 'accrued revenue', 'the audit', 'the cash forecast'],
  },
  {
    code: 'legal',
    name: 'Legal',
    description: 'Contracts, policies and compliance',
    monthlyBudgetUsd: 12_000,
    costCenter: 'CC-4100',
    types: [
      { name: 'contract-reviewer', intent: 'research' },
      { name: 'clause-drafter', intent: 'content_creation' },
      { name: 'compliance-checker', intent: 'data_analysis' },
    ],
    topics: [
      'the data processing agreement',
      'the lease',
      'the licence terms',
      'the trade mark',
      'the retention policy',
    ],
  },
  {
    code: 'hr',
    name: 'Human Resources',
    description: 'Hiring, onboarding and people',
    monthlyBudgetUsd: 10_000,
    costCenter: 'CC-4200',
    types: [
      { name: 'policy-assistant', intent: 'general_assistance' },
      { name: 'recruiting-writer', intent: 'content_creation' },
      { name: 'onboarding-bot', intent: 'automation' },
    ],
    topics: ['parental leave', 'the job posting', 'the first week', 'the salary review', 'the training budget'],
  },
]
