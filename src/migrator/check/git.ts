import { spawn } from 'node:child_process'
import { codeOf, UsageError } from '../../errors.js'

/** The files of a folder as a commit holds them. */
export interface CommittedFile {
  /** The name without a folder. */
  readonly name: string
  readonly text: string
}

/** Where a folder stands in the history of its repository. */
export interface Repository {
  /** The commit that the ref names, as its full hash. */
  readonly base: string
  /** Where this work branched off from it; the base itself where git knows of no such place. */
  readonly fork: string
  /** The folder, from the root of the repository, without a slash at its end. */
  readonly path: string
}

/**
 * Finds out where `folder` stands towards `ref`, by asking git.
 *
 * The ref may be whatever names one commit: `origin/main`, a tag, `HEAD~3`, a hash.
 *
 * @throws UsageError without a git, outside a repository, and for a ref that names no commit.
 */
export async function openRepository(folder: string, ref: string): Promise<Repository> {
  refuseHostile(ref)
  const prefix = await git(folder, ['rev-parse', '--show-prefix'])
  if (prefix.code !== 0) throw notRepository(folder, prefix.stderr)
  const commit = await git(folder, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`])
  if (commit.code !== 0) throw unknownRef(ref)
  const base = textOf(commit)
  const fork = await git(folder, ['merge-base', base, 'HEAD'])
  return { base, fork: fork.code === 0 ? textOf(fork) : base, path: textOf(prefix).replace(/\/$/, '') }
}

/**
 * The files that lie in the folder itself at `commit`; none where it did not exist then.
 *
 * Contents are asked for by the hashes that git gave, so no name of a file is ever an
 * argument. Symbolic links and submodules are left out.
 */
export async function filesAt(
  folder: string,
  { path }: Repository,
  commit: string,
  wanted: (name: string) => boolean,
): Promise<readonly CommittedFile[]> {
  const tree = path === '' ? `${commit}^{tree}` : `${commit}:${path}`
  const there = await git(folder, ['rev-parse', '--verify', '--quiet', tree])
  if (there.code !== 0) return []
  const list = await git(folder, ['ls-tree', '-z', '--full-tree', textOf(there)])
  if (list.code !== 0) throw failed('ls-tree', list.stderr)
  const entries = list.stdout
    .toString('utf8')
    .split('\0')
    .flatMap((line) => entryOf(line))
    .filter(({ name }) => wanted(name))
  if (entries.length === 0) return []
  const input = entries.map(({ hash }) => `${hash}\n`).join('')
  const batch = await git(folder, ['cat-file', '--batch'], input)
  if (batch.code !== 0) throw failed('cat-file', batch.stderr)
  const contents = contentsOf(batch.stdout)
  return entries.map(({ name, hash }) => ({ name, text: contents.get(hash) ?? '' }))
}

/** A name that begins with a dash would be an option to git. */
function refuseHostile(ref: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no ref holds one.
  if (ref !== '' && !ref.startsWith('-') && !/[\u0000-\u001f\u007f]/.test(ref)) return
  throw new UsageError(`--base names no git ref: ${JSON.stringify(ref)}`, {
    code: 'invalid_ref',
    hint: 'Name a branch, a tag or a commit, for example --base origin/main.',
    details: { ref },
  })
}

/** `100644 blob <hash>\t<name>`; 120000 is a symbolic link, whose content is a path. */
function entryOf(line: string): readonly { readonly hash: string; readonly name: string }[] {
  const [, hash = '', name = ''] = /^100(?:644|755) blob ([0-9a-f]+)\t([\s\S]+)$/.exec(line) ?? []
  return hash ? [{ hash, name }] : []
}

/** For each object a line `<hash> blob <bytes>`, then its bytes and a line break. */
function contentsOf(output: Buffer): ReadonlyMap<string, string> {
  const contents = new Map<string, string>()
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf('\n', at)
    const [hash = '', kind, size = '0'] = output.toString('latin1', at, end).split(' ')
    if (kind !== 'blob') throw failed('cat-file', `${hash} ${kind}`)
    const from = end + 1
    const to = from + Number(size)
    contents.set(hash, output.toString('utf8', from, to).replace(/^\uFEFF/, ''))
    at = to + 1
  }
  return contents
}

interface Ending {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** A hook gives git these, and they would point at another folder's repository. */
const fromHooks = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_OBJECT_DIRECTORY']

/** Runs git in `folder`, without a shell and without ever asking for a password. */
function git(folder: string, args: readonly string[], input = ''): Promise<Ending> {
  const inherited = Object.entries(process.env).filter(([name]) => !fromHooks.includes(name))
  const env = { ...Object.fromEntries(inherited), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' }
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['-C', folder, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-10_000)
    })
    child.once('error', (error) => reject(cannotRun(error)))
    child.once('close', (code) => resolve({ code: code ?? -1, stdout: Buffer.concat(out), stderr: stderr.trim() }))
    // git may end without reading what it was given; its exit code says why.
    child.stdin.once('error', () => undefined)
    child.stdin.end(input)
  })
}

function textOf({ stdout }: Ending): string {
  return stdout.toString('utf8').replace(/\n$/, '')
}

function cannotRun(error: Error): UsageError {
  const missing = codeOf(error) === 'ENOENT'
  return new UsageError(missing ? 'there is no git on the PATH' : `git cannot be run: ${error.message}`, {
    code: 'git_missing',
    hint: 'Install git, or put it on the PATH; obs migrate check asks it what the base holds.',
    cause: error,
  })
}

function notRepository(folder: string, stderr: string): UsageError {
  const plain = /not a git repository/.test(stderr)
  return new UsageError(plain ? `${folder} is not in a git repository` : `git cannot work in ${folder}: ${stderr}`, {
    code: 'not_a_repository',
    hint: plain
      ? 'Run it where the migrations are checked out, or name their folder with --config or --pack.'
      : 'Do what git asks for, and run it again.',
    details: { folder },
  })
}

function unknownRef(ref: string): UsageError {
  const remote = /^([^/]+)\/(.+)$/.exec(ref)
  const fetch = remote ? `git fetch ${remote[1]} ${remote[2]}` : `git fetch origin ${ref}`
  return new UsageError(`git knows no commit ${JSON.stringify(ref)}`, {
    code: 'unknown_ref',
    hint: `Run ${fetch} first; a pipeline often has only the newest commit (fetch-depth: 0 gets all).`,
    details: { ref },
  })
}

function failed(command: string, stderr: string): UsageError {
  return new UsageError(`git ${command} failed: ${stderr || 'it said nothing'}`, {
    code: 'git_failed',
    hint: 'Check the repository with git fsck.',
  })
}
