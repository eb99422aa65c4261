import { i18n } from './i18n.svelte';
import { toasts } from './toasts.svelte';

/** Copies text, and says that it did, or that the browser does not. Resolves to which of the two. */
export async function copy(text: string, done: string = i18n.w.actions.copied): Promise<boolean> {
  const copied = await modern(text) || old(text);
  toasts.say(copied ? done : i18n.w.errors.clipboard, !copied);
  return copied;
}

/** Browsers have the clipboard on localhost and over https alone, and may refuse it there. */
async function modern(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function old(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  const before = document.activeElement as HTMLElement | null;
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  before?.focus();
  return done;
}
