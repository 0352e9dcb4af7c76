/** Text from a database without the control characters that would steer the terminal it is shown on. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\u{fffd}')
}
