import * as causes from '../words/causes';
import * as common from '../words/common';
import * as device from '../words/device';
import * as devices from '../words/devices';
import * as errors from '../words/errors';
import * as forwards from '../words/forwards';
import * as listeners from '../words/listeners';
import * as live from '../words/live';
import * as recordings from '../words/recordings';
import * as rooms from '../words/rooms';
import * as server from '../words/server';
import * as session from '../words/session';
import * as sources from '../words/sources';
import * as wall from '../words/wall';
import { store, stored } from './stored';

export type Language = 'en' | 'zh';

const all = {
  en: {
    ...common.en,
    causes: causes.en,
    device: device.en,
    devices: devices.en,
    errors: errors.en,
    forwards: forwards.en,
    listeners: listeners.en,
    live: live.en,
    recordings: recordings.en,
    rooms: rooms.en,
    server: server.en,
    session: session.en,
    sources: sources.en,
    wall: wall.en,
  },
  zh: {
    ...common.zh,
    causes: causes.zh,
    device: device.zh,
    devices: devices.zh,
    errors: errors.zh,
    forwards: forwards.zh,
    listeners: listeners.zh,
    live: live.zh,
    recordings: recordings.zh,
    rooms: rooms.zh,
    server: server.zh,
    session: session.zh,
    sources: sources.zh,
    wall: wall.zh,
  },
};

function initial(): Language {
  const chosen = stored('language', ['en', 'zh']);
  if (chosen) return chosen;
  return navigator.languages.find((l) => /^(en|zh)/i.test(l))?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** The language of the page, and its words: in templates, i18n.w.live.title. */
class I18n {
  language = $state<Language>(initial());
  get w(): (typeof all)['en'] {
    return all[this.language];
  }
  /** For the page's lang. */
  get locale(): string {
    return this.language === 'zh' ? 'zh-CN' : 'en';
  }
  choose(language: Language): void {
    this.language = language;
    store('language', language);
  }
}

export const i18n = new I18n();

$effect.root(() => {
  $effect(() => {
    document.documentElement.lang = i18n.locale;
  });
});
