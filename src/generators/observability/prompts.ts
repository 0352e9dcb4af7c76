import type { Faker } from '@faker-js/faker'
import { Random, streamKey } from '../random.js'
import { departments, type Intent, intents } from './departments.js'

/** A text with a place for a number of five digits, in UTF-8. */
export interface Text {
  readonly bytes: Buffer
  /** Where the number goes. */
  readonly numberAt: number
  readonly characters: number
}

/**
 * The texts of a run, in pools of `perIntent` for each department and intent, departments outermost.
 *
 * The answers of a pool are sorted by length.
 */
export interface TextPools {
  readonly prompts: readonly Text[]
  readonly answers: readonly Text[]
}

/**
 * Draws with the faker of the English locale, seeded.
 *
 * Imported by its locale: the package's main entry loads every language. The instance is
 * shared by the process, so `draw` is not asynchronous: nobody else can draw in between.
 */
export async function withFaker<T>(seed: number, draw: (faker: Faker) => T): Promise<T> {
  const { faker } = await import('@faker-js/faker/locale/en')
  faker.seed(seed)
  return draw(faker)
}

/** Makes the pools once per run; rows pick from them and put their own number in. */
export function makeTexts(runId: string, perIntent: number): Promise<TextPools> {
  const random = new Random().seat(streamKey('texts', runId), 0)
  return withFaker(random.bits(), (faker) => {
    const pools = (templates: Readonly<Record<Intent, readonly string[]>>) =>
      departments.map(({ topics }) =>
        intents.map((intent) =>
          Array.from({ length: perIntent }, (_, i) => {
            const choices = templates[intent]
            return encode(fill(choices[i % choices.length] ?? '', topics, faker, random))
          }),
        ),
      )
    const prompts = pools(promptTemplates).flat(2)
    const byLength = (a: Text, b: Text) => a.characters - b.characters
    return {
      prompts,
      answers: pools(answerTemplates).flatMap((byIntent) => byIntent.flatMap((pool) => pool.sort(byLength))),
    }
  })
}

const words: Readonly<Record<string, (faker: Faker) => string>> = {
  person: (faker) => faker.person.fullName(),
  company: (faker) => faker.company.name(),
  product: (faker) => faker.commerce.productName().toLowerCase(),
  jargon: (faker) => faker.hacker.phrase(),
  noun: (faker) => faker.hacker.noun(),
  city: (faker) => faker.location.city(),
  percent: (faker) => `${faker.number.int({ min: 2, max: 48 })} %`,
}

function fill(template: string, topics: readonly string[], faker: Faker, random: Random): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (name === 'n') return '{n}'
    if (name === 'topic') return topics[random.integer(topics.length)] ?? ''
    return words[name]?.(faker) ?? ''
  })
}

function encode(text: string): Text {
  const [before = '', after = ''] = text.split('{n}')
  const bytes = Buffer.from(`${before}${'0'.repeat(5)}${after}`)
  return { bytes, numberAt: Buffer.byteLength(before), characters: before.length + 5 + after.length }
}

/** Every template has exactly one `{n}`. */
const promptTemplates: Readonly<Record<Intent, readonly string[]>> = {
  code_generation: [
    'Write a function that validates the {noun} in {topic} and cover it with tests. Task {n}.',
    'Task {n}: {topic} fails when the {noun} is empty. Find the cause and propose a patch.',
    'Refactor the {noun} module of {topic} so that it can be tested without the network (change {n}).',
    'Generate a migration that adds the {noun} to {topic}; the ticket is {n}.',
  ],
  customer_support: [
    'Ticket {n}: {person} from {company} writes about {topic} and asks for a refund. Draft a reply.',
    'A customer in {city} reports {topic} with the {product}. Answer ticket {n} politely and briefly.',
    'Summarise the conversation on ticket {n} about {topic} for the next shift.',
  ],
  data_analysis: [
    'Compare {topic} of this month with the month before and explain the difference of {percent}. Request {n}.',
    'Query {n}: which segments drive {topic}? Give me the SQL and one sentence for each result.',
    'Check the figures behind {topic} for outliers and tell me whether {percent} is plausible (report {n}).',
  ],
  content_creation: [
    'Write a short text about {topic} for {company}, friendly and without jargon. Brief {n}.',
    'Draft {n}: three headlines for {topic}, the audience is people who own a {product}.',
    'Turn these notes about {topic} into a page of at most 300 words; document {n}.',
  ],
  automation: [
    'Run workflow {n} for {topic}: fetch the open items, assign them and notify {person}.',
    'Process item {n} of {topic} and mark everything that needs a person.',
    'Schedule {topic} for every Monday and report failures to {person}; job {n}.',
  ],
  research: [
    'Find out how {company} handles {topic} and list the sources. Question {n}.',
    'Question {n}: what changed in the last year about {topic} that concerns a company in {city}?',
    'Prepare a one-page comparison of three ways to approach {topic}; reference {n}.',
  ],
  translation: [
    'Translate the text about {topic} into German and keep the product name {product}. Text {n}.',
    'Text {n}: translate the answer to {person} about {topic} into French, formal address.',
    'Check the Spanish translation of {topic} against the original, document {n}.',
  ],
  general_assistance: [
    'How do I apply for {topic}? My employee number is {n}.',
    'Remind me what we agreed with {person} about {topic}, note {n}.',
    'Explain {topic} to somebody who joined last week; request {n}.',
  ],
}

const answerTemplates: Readonly<Record<Intent, readonly string[]>> = {
  code_generation: [
    'The {noun} was read before it was set. The patch for task {n} checks it first and adds two tests, one for the empty case. {jargon}',
    'Done for task {n}: the module takes its {noun} as an argument now, and the tests pass a plain object.\n\n```\nreturn input.filter(Boolean)\n```',
    'I split the function in two; the pure half is covered by {percent} more tests than before. Change {n} is ready for review.',
  ],
  customer_support: [
    'Hello {person}, thank you for writing. We looked into ticket {n} and corrected it; you will see the change within two days.',
    'I am sorry for the trouble with the {product}. A replacement is on its way to {city}; the case number is {n}.',
    'Summary of {n}: the customer of {company} was answered twice and waits for a confirmation of the date.',
  ],
  data_analysis: [
    'The difference of {percent} comes from two segments; without them the figure is stable. The query for {n} is below.\n\nselect segment, count(*) from events group by segment',
    'Report {n}: no outliers beyond three standard deviations; {percent} is within the range of the last six months.',
    'Three customers, among them {company}, make up {percent} of the change. See table {n}.',
  ],
  content_creation: [
    'Brief {n}: {company} makes the {product} that you forget about, because it works. Here is how it came to be.',
    'Draft {n}: 1. Less waiting, more doing. 2. Made in {city}, used everywhere. 3. The {product} you already know.',
    'The page is done and has 287 words; I left out the second note because it repeats the first. Document {n}.',
  ],
  automation: [
    'Workflow {n} finished: 14 items fetched, 12 assigned, 2 need a person. {person} was notified.',
    'Item {n} was processed; the amount and the supplier ({company}) match the order.',
    'Job {n} is scheduled for Mondays at 06:00 UTC and reports failures to {person}.',
  ],
  research: [
    'Answer to {n}: {company} publishes its policy and reviews it yearly; two sources agree, a third is older. {jargon}',
    'Comparison {n}: the first way is cheapest, the second fastest, the third the only one that scales beyond {percent} growth.',
    'Two rules changed, and one of them concerns companies in {city} from next spring. The sources are listed under {n}.',
  ],
  translation: [
    'Text {n}: Vielen Dank für Ihre Nachricht. Wir haben Ihr Anliegen geprüft und melden uns in Kürze.',
    'Texte {n} : nous vous remercions de votre message et restons à votre disposition pour toute question.',
    'El documento {n} coincide con el original; he corregido dos términos y el nombre del producto.',
  ],
  general_assistance: [
    'You can apply in the portal under your name; the form for {n} takes about five minutes and {person} approves it.',
    'According to note {n} you agreed on a review in two weeks, and {person} prepares the figures.',
    'In short ({n}): it is decided once a quarter, announced by {person}, and you need not do anything.',
  ],
}
