/**
 * Settings for loading a lot and losing nothing: fsync and full_page_writes stay on,
 * what is saved is log that only a standby would read, and frequent checkpoints.
 */
const fixed: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_permissions: '0700',
  password_encryption: 'scram-sha-256',
  max_connections: '100',
  shared_buffers: '256MB',
  work_mem: '16MB',
  maintenance_work_mem: '256MB',
  fsync: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  lc_monetary: 'C',
  lc_numeric: 'C',
  lc_time: 'C',
  datestyle: 'iso, mdy',
  default_text_search_config: 'pg_catalog.english',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '%m [%p] %q%u@%d %a ',
}

/**
 * The text of the server's configuration file.
 *
 * The port is not in it: it is chosen anew for every attempt to start and goes on the
 * command line, so that two commands that start at once write the same file.
 *
 * @param socket the folder of the Unix socket, undefined for none.
 */
export function renderConfiguration(socket: string | undefined): string {
  const sockets = socket === undefined ? '' : `"${socket.replaceAll('"', '""')}"`
  const lines = Object.entries({ unix_socket_directories: sockets, ...fixed }).map(
    ([name, value]) => `${name} = ${quote(value)}`,
  )
  return `# Written by obs whenever it starts the server; use alter system for settings of your own.\n${lines.join('\n')}\n`
}

function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
