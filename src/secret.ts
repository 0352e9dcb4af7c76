import { inspect } from 'node:util'

/**
 * A value that must not be shown.
 *
 * Every implicit way into text (string conversion, JSON, `console.log`) yields
 * `***`; only `reveal` gives the value, and only the code that opens a connection
 * calls it.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  [inspect.custom](): string {
    return '***'
  }
}

/** Masks the passwords of URLs and connection strings in a text, for messages that quote what somebody typed. */
export function redactUrls(text: string): string {
  return text
    .replace(/(postgres(?:ql)?:\/\/[^\s:/@]*):[^\n"'`]*@/gi, '$1:***@')
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):\S*@/gi, '$1:***@')
    .replace(/((?:^|[^a-z])(?:ssl|pg)?password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|"[^"]*"|[^&\s'"]*)/gi, '$1***')
}
