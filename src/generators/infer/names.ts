import type { AnyColumn } from '../library/spec.js'

/** What the name of a column says about its values. */
export interface NamedColumn {
  readonly spec: AnyColumn
  readonly meaning: string
}

interface NameRule {
  readonly name: RegExp
  readonly meaning: string
  readonly spec: AnyColumn
}

const faker = (method: string, more: object = {}): AnyColumn => ({ generator: 'faker', method, ...more })

/** Texts by the name of their column, the more particular names first. */
const texts: readonly NameRule[] = [
  { name: /e_?mail/, meaning: 'an e-mail address', spec: faker('internet.exampleEmail') },
  { name: /^(first|given)_?name$/, meaning: 'a first name', spec: faker('person.firstName') },
  { name: /^(last|family|sur)_?name$/, meaning: 'a family name', spec: faker('person.lastName') },
  { name: /^(user|login)_?name$|^login$|^handle$/, meaning: 'a user name', spec: faker('internet.username') },
  {
    name: /(company|organi[sz]ation|employer|vendor|supplier)(_?name)?$/,
    meaning: 'a company',
    spec: faker('company.name'),
  },
  { name: /(product|item|article)_?name$/, meaning: 'a product', spec: faker('commerce.productName') },
  {
    name: /^(full_?|display_?|contact_?|customer_?|person_?)?name$|(author|owner|recipient|manager)$/,
    meaning: 'a name',
    spec: faker('person.fullName'),
  },
  {
    name: /phone|mobile|fax/,
    meaning: 'a phone number',
    spec: faker('phone.number', { arguments: [{ style: 'international' }] }),
  },
  { name: /country_?code|^country$/, meaning: 'a country', spec: faker('location.countryCode') },
  { name: /country/, meaning: 'a country', spec: faker('location.country') },
  { name: /city|town/, meaning: 'a city', spec: faker('location.city') },
  { name: /(^|_)(state|province|region)$/, meaning: 'a region', spec: faker('location.state') },
  { name: /zip|postal_?code|postcode/, meaning: 'a postal code', spec: faker('location.zipCode') },
  { name: /street|address/, meaning: 'a street address', spec: faker('location.streetAddress') },
  { name: /currency/, meaning: 'a currency', spec: { generator: 'choice', values: { EUR: 5, USD: 4, GBP: 1 } } },
  {
    name: /locale|language|lang$/,
    meaning: 'a language',
    spec: { generator: 'choice', values: { en: 6, de: 2, fr: 1, es: 1 } },
  },
  { name: /time_?zone|^tz$/, meaning: 'a time zone', spec: faker('location.timeZone') },
  { name: /(^|_)(url|uri|link|website|homepage)$/, meaning: 'a URL', spec: faker('internet.url') },
  { name: /domain|host_?name|^host$/, meaning: 'a host', spec: faker('internet.domainName') },
  { name: /user_?agent/, meaning: 'a browser', spec: faker('internet.userAgent') },
  { name: /(^|_)ip(_?addr(ess)?)?$/, meaning: 'an IP address', spec: faker('internet.ipv4') },
  { name: /mime|content_?type/, meaning: 'a content type', spec: faker('system.mimeType') },
  { name: /file_?name/, meaning: 'a file name', spec: faker('system.fileName') },
  { name: /colou?r/, meaning: 'a colour', spec: faker('color.human') },
  { name: /iban/, meaning: 'an IBAN', spec: faker('finance.iban') },
  { name: /(^|_)slug$/, meaning: 'a slug', spec: faker('lorem.slug') },
  {
    name: /hash|checksum|digest|token|secret|fingerprint/,
    meaning: 'hexadecimal digits',
    spec: { generator: 'pattern', pattern: '[0-9a-f]{32}' },
  },
  { name: /(^|_)version$/, meaning: 'a version', spec: { generator: 'pattern', pattern: '[1-3]\\.[0-9]\\.[0-9]' } },
  {
    name: /(^|_)(sku|code|number|no|ref|reference|key)$/,
    meaning: 'a code',
    spec: { generator: 'pattern', pattern: '[A-Z]{3}-[0-9]{5}' },
  },
  { name: /status|state$/, meaning: 'a state', spec: { generator: 'choice', values: { active: 8, inactive: 2 } } },
  {
    name: /(^|_)(title|subject|headline|label)$/,
    meaning: 'a short line',
    spec: { generator: 'words', min: 2, max: 6 },
  },
  {
    name: /description|comment|note|body|content|message|summary|text|bio|remark|reason/,
    meaning: 'a sentence',
    spec: { generator: 'words', min: 6, max: 25 },
  },
]

/** Numbers by the name of their column; bounds are those of the column if it has any. */
const numbers: readonly NameRule[] = [
  {
    name: /price|amount|total|cost|revenue|balance|fee|budget|salary|spend|value$/,
    meaning: 'an amount of money',
    spec: { generator: 'log-normal', median: 40, sigma: 1 },
  },
  {
    name: /percent|pct|rate$|ratio|share|discount/,
    meaning: 'a share',
    spec: { generator: 'decimal', min: 0, max: 1 },
  },
  { name: /(^|_)(lat|latitude)$/, meaning: 'a latitude', spec: { generator: 'decimal', min: -60, max: 70 } },
  { name: /(^|_)(lon|lng|longitude)$/, meaning: 'a longitude', spec: { generator: 'decimal', min: -180, max: 179 } },
  {
    name: /quantity|qty|count$|^num_|attempts|retries|seats/,
    meaning: 'a small number of things',
    spec: { generator: 'log-normal', median: 3, sigma: 0.8, min: 1, max: 1000 },
  },
  {
    name: /(duration|latency|elapsed|response_?time).*ms$|_ms$|millis/,
    meaning: 'milliseconds',
    spec: { generator: 'log-normal', median: 300, sigma: 1, max: 60_000 },
  },
  {
    name: /duration|seconds|latency|elapsed/,
    meaning: 'seconds',
    spec: { generator: 'log-normal', median: 30, sigma: 1, max: 86_400 },
  },
  {
    name: /bytes|size|length/,
    meaning: 'a size',
    spec: { generator: 'log-normal', median: 4096, sigma: 2, max: 1_000_000_000 },
  },
  { name: /(^|_)age$/, meaning: 'an age', spec: { generator: 'normal', mean: 40, deviation: 14, min: 18, max: 95 } },
  { name: /(^|_)year$/, meaning: 'a year', spec: { generator: 'integer', min: 2000, max: 2026 } },
  { name: /score|rating|stars/, meaning: 'a score', spec: { generator: 'integer', min: 1, max: 5 } },
  {
    name: /weight|height|width|depth|distance|temperature/,
    meaning: 'a measure',
    spec: { generator: 'normal', mean: 50, deviation: 12, min: 1, max: 99 },
  },
  {
    name: /position|sort|ordinal|rank|priority|level|sequence/,
    meaning: 'a place in an order',
    spec: { generator: 'integer', min: 1, max: 10 },
  },
  { name: /tokens/, meaning: 'tokens', spec: { generator: 'log-normal', median: 500, sigma: 0.9, max: 100_000 } },
]

export function textByName(column: string): NamedColumn | undefined {
  return find(texts, column)
}

export function numberByName(column: string): NamedColumn | undefined {
  return find(numbers, column)
}

function find(rules: readonly NameRule[], column: string): NamedColumn | undefined {
  const name = column.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase()
  const rule = rules.find((one) => one.name.test(name))
  return rule && { spec: rule.spec, meaning: rule.meaning }
}
