/** An element of a parsed document. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  readonly text: string
}

/**
 * Parses the XML that reports are written in, and throws at whatever is not well-formed
 * (https://www.w3.org/TR/xml/): elements, attributes, the five entities and character
 * references; no comments, no CDATA, no DTD.
 */
export function parseXml(document: string): Element {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that XML forbids.
  const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/u.exec(document)
  if (forbidden) throw new Error(`forbidden character at ${forbidden.index}`)
  const body = document.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/, '')
  const { element, rest } = parseElement(body)
  if (rest.trim() !== '') throw new Error(`text after the root element: ${rest.slice(0, 40)}`)
  return element
}

function parseElement(source: string): { element: Element; rest: string } {
  const open = /^<([A-Za-z][\w.-]*)((?:\s+[A-Za-z][\w.-]*="[^"<]*")*)\s*(\/?)>/.exec(source)
  if (!open) throw new Error(`not an element: ${source.slice(0, 60)}`)
  const [all, name = '', attributeText = '', empty] = open
  const attributes = parseAttributes(attributeText)
  if (empty) return { element: { name, attributes, children: [], text: '' }, rest: source.slice(all.length) }
  return parseContent(name, attributes, source.slice(all.length))
}

function parseContent(name: string, attributes: Record<string, string>, source: string) {
  const children: Element[] = []
  let text = ''
  let rest = source
  while (!rest.startsWith('</')) {
    if (rest === '') throw new Error(`<${name}> is never closed`)
    if (rest.startsWith('<')) {
      const child = parseElement(rest)
      children.push(child.element)
      rest = child.rest
    } else {
      const [piece = ''] = /^[^<]+/.exec(rest) ?? []
      text += decode(piece)
      rest = rest.slice(piece.length)
    }
  }
  const close = `</${name}>`
  if (!rest.startsWith(close)) throw new Error(`<${name}> is closed by ${rest.slice(0, 40)}`)
  return { element: { name, attributes, children, text }, rest: rest.slice(close.length) }
}

function parseAttributes(source: string): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const [, name = '', value = ''] of source.matchAll(/([\w.-]+)="([^"]*)"/g)) {
    if (name in attributes) throw new Error(`the attribute ${name} is there twice`)
    attributes[name] = decode(value)
  }
  return attributes
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decode(text: string): string {
  return text.replace(/&([^;\s]*;?)/g, (all, reference: string) => {
    const name = reference.replace(/;$/, '')
    const code = /^#(\d+)$/.exec(name)?.[1]
    const character = code === undefined ? entities[name] : String.fromCodePoint(Number(code))
    if (character === undefined || !reference.endsWith(';')) throw new Error(`not an entity: ${all}`)
    return character
  })
}
