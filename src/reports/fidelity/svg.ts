/** Text inside of HTML and SVG. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

type Attributes = Readonly<Record<string, string | number>>

/** An element whose content is markup already. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeHtml(String(round(value)))}"`)
  return `<${name}${list.join('')}>${content}</${name}>`
}

/** Two decimals are finer than any screen. */
function round(value: string | number): string | number {
  return typeof value === 'number' ? Math.round(value * 100) / 100 : value
}

export function label(x: number, y: number, text: string, more: Attributes = {}): string {
  return element('text', { x, y, ...more }, escapeHtml(text))
}

/** A picture that scales with the page and says in words what it shows. */
export function picture(width: number, height: number, words: string, content: string): string {
  return element('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': words }, content)
}

/** A line through points. */
export function polyline(points: readonly (readonly [x: number, y: number])[], className: string): string {
  const list = points.map(([x, y]) => `${round(x)},${round(y)}`).join(' ')
  return element('polyline', { points: list, class: className, fill: 'none' })
}
