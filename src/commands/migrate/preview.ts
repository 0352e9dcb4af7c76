import type { Situation, Step } from '../../migrator/plan/plan.js'
import type { Preview, PreviewOptions } from '../../migrator/preview/preview.js'
import { type Invocation, withTarget } from '../invocation.js'
import type { BackupFlags, RunFlags } from './flags.js'
import { previewJson, previewText } from './render-preview.js'
import { safetyNet } from './safety-net.js'

/** The part of a run's flags that a preview depends on. */
export type PreviewFlags = BackupFlags & Pick<RunFlags, 'preserve'> & Pick<PreviewOptions, 'besideOtherTool'>

/**
 * Answers with what a plan would do; `next` is the command that does it.
 *
 * @param more keys that a dry run has in its JSON form besides the plan
 */
export async function answerPreview(
  invocation: Invocation<PreviewFlags>,
  plan: (situation: Situation) => readonly Step[],
  next: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const preview = await look(invocation, plan)
  invocation.answer({
    json: { ...more, ...previewJson(preview) },
    text: previewText(preview, invocation.style, next),
  })
}

async function look(
  invocation: Invocation<PreviewFlags>,
  plan: (situation: Situation) => readonly Step[],
): Promise<Preview> {
  const { settings, options, context } = invocation
  const net = safetyNet(invocation)
  const { previewMigrations } = await import('../../migrator/preview/preview.js')
  return withTarget(
    invocation,
    (database) => {
      const wanted: PreviewOptions = {
        ...(options.preserve ? { preserve: options.preserve } : {}),
        ...(options.besideOtherTool ? { besideOtherTool: true } : {}),
        ...(net ? { backup: net.preview(database) } : {}),
      }
      return previewMigrations(database, settings.pack, plan, wanted, context)
    },
    { purpose: 'migrate plan', connections: 2 },
  )
}
