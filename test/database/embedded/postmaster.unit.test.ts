import { expect, it } from 'vitest'
import { parsePidFile } from '../../../src/database/embedded/postmaster.js'

const lines = ['4711', '/srv/.obs/server/data', '1790000000', '41234', '/srv/.obs/server/socket', '127.0.0.1', '123 0']

it('reads where a ready server listens', () => {
  expect(parsePidFile(`${[...lines, 'ready   '].join('\n')}\n`)).toEqual({
    state: 'ready',
    pid: 4711,
    port: 41234,
    socket: '/srv/.obs/server/socket',
    startedAt: new Date('2026-09-21T14:13:20Z'),
  })
})

it('takes a file that is not written to the end for a server that starts', () => {
  expect(parsePidFile('4711\n/srv/.obs/server/data\n1790000000\n')).toMatchObject({ state: 'starting', pid: 4711 })
  expect(parsePidFile([...lines, 'starting'].join('\n'))).toMatchObject({ state: 'starting' })
})

it('knows a server that is stopping, and one without a socket', () => {
  const file = [...lines.slice(0, 4), '', ...lines.slice(5), 'stopping'].join('\n')
  expect(parsePidFile(file)).toMatchObject({ state: 'stopping', socket: undefined })
})

it('makes nothing of an empty file', () => {
  expect(parsePidFile('')).toBeUndefined()
})
