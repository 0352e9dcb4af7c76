declare module 'pgpass' {
  interface ConnectionInfo {
    readonly host: string
    readonly port: number
    readonly database: string
    readonly user: string
  }

  /** Looks a password up in `PGPASSFILE`, else `~/.pgpass`. */
  export default function pgpass(connection: ConnectionInfo, callback: (password: string | undefined) => void): void
}
