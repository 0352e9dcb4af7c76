import { serveRows } from '../threads/serve-rows.js'
import { observability } from './pack.js'

serveRows(observability)
