import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { redactUrls, Secret } from '../src/secret.js'

describe('a secret', () => {
  const secret = new Secret('hush')

  it('shows itself only to who asks', () => {
    expect(secret.reveal()).toBe('hush')
  })

  it.each<[string, () => string]>([
    ['a template', () => `${secret}`],
    ['a sum', () => `x${String(secret)}`],
    ['a list', () => [secret].join()],
    ['JSON', () => JSON.stringify({ password: secret })],
    ['inspect', () => inspect({ password: secret }, { depth: 9, showHidden: true })],
    ['an error', () => String(new Error(`${secret}`))],
    ['its keys', () => JSON.stringify(Object.entries(secret)) + JSON.stringify({ ...secret })],
  ])('stays hidden in %s', (_, show) => {
    expect(show()).not.toContain('hush')
  })
})

describe('a message', () => {
  it.each([
    'cannot reach postgres://ada:hush@h:5432/d',
    'postgresql://ada:hush@h/d',
    'postgres://:hush@h/d',
    'postgres://ada:hu@hush@h/d',
    'postgres://ada:hush/hush?hush#hush@h/d',
    'bad url "postgres://ada:hush hush@h/d"',
    'POSTGRES://ada:hush@h',
    'https://token:hush@example.com/repo.git',
    'one postgres://a:hush@h/d, two postgres://b:hush@h/d',
    'postgres://h/d?user=ada&password=hush&sslmode=require',
    'postgres://h/d?sslpassword=hush',
    'host=h password=hush user=ada',
    "host=h password='hush hush' user=ada",
    String.raw`host=h password='hu\'sh hush'`,
    'password = hush',
    'PGPASSWORD=hush psql',
    'PGPASSWORD="hush hush" psql',
  ])('hides the password in %j', (text) => {
    expect(redactUrls(text)).not.toContain('hush')
    expect(redactUrls(text)).toContain('***')
  })

  it.each([
    'password authentication failed for user "ada"',
    'postgres://ada@h:5432/d',
    'postgres://h:5432/d',
    'see https://www.postgresql.org/docs/current/',
    'mail ada@example.com',
  ])('without one stays as it is: %j', (text) => {
    expect(redactUrls(text)).toBe(text)
  })

  it('keeps everything but the password', () => {
    expect(redactUrls('cannot reach postgres://ada:hush@h:5432/d?sslmode=require now')).toBe(
      'cannot reach postgres://ada:***@h:5432/d?sslmode=require now',
    )
    expect(redactUrls('postgres://h/d?password=hush&sslmode=require')).toBe(
      'postgres://h/d?password=***&sslmode=require',
    )
  })
})
