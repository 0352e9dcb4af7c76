import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

/** Colours of the terminal, or the text as it is when colour is off. */
export interface Style {
  strong(text: string): string
  faint(text: string): string
  good(text: string): string
  bad(text: string): string
  notice(text: string): string
  accent(text: string): string
}

export function createStyle(color: boolean): Style {
  const paint = (format: Format) => (text: string) =>
    color ? styleText(format, text, { validateStream: false }) : text
  return {
    strong: paint('bold'),
    faint: paint('dim'),
    good: paint('green'),
    bad: paint('red'),
    notice: paint('yellow'),
    accent: paint('cyan'),
  }
}
