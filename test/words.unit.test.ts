import { describe, expect, it } from 'vitest'
import { parseDuration } from '../src/duration.js'
import { shellWord } from '../src/shell-word.js'
import { splitWords } from '../src/words.js'

describe('splitWords', () => {
  it.each([
    ['pgbackrest info', ['pgbackrest', 'info']],
    [`a 'b c' "d \\" e" f\\ g`, ['a', 'b c', 'd " e', 'f g']],
    [`--x='y z'w ''`, ['--x=y zw', '']],
    ['echo $(rm -rf /); ls | cat > x *', ['echo', '$(rm', '-rf', '/);', 'ls', '|', 'cat', '>', 'x', '*']],
    ['  two\n lines ', ['two', 'lines']],
  ])('takes %s apart', (text, words) => {
    expect(splitWords(text, '--x')).toEqual(words)
  })

  it.each(['', '  ', `it's`, 'an "open', 'end\\'])('refuses %j', (text) => {
    expect(() => splitWords(text, '--x')).toThrow(/--x/)
  })

  it.each(['plain', 'a b', `it's "$HOME" \\`, ''])('reads back what shellWord wrote of %j', (text) => {
    expect(splitWords(`x ${shellWord(text)}`, '--x')).toEqual(['x', text])
  })
})

describe('parseDuration', () => {
  it.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['4w', 2_419_200_000],
  ])('reads %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each(['', '24', 'h', '0h', '-1h', '1.5h', '1y', '24 h', '9999999d'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})
