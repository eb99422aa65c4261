export const en = {
  unreachable: 'The server cannot be reached. The console tries again by itself.',
  signedOut: 'You are not signed in any more. Sign in again.',
  forbidden: 'Your role does not allow this.',
  notFound: 'There is no such thing any more.',
  tooLarge: 'That is too large. Send it in pieces.',
  tooMany: 'Too many attempts. Wait a moment.',
  unavailable: 'Not now. Try again in a moment.',
  refused: 'The server refused.',
  server: (message: string) => `(${message})`,
  clipboard: 'The browser did not copy it. Select it, and copy it yourself.',
  program: (message: string) => `A mistake in the console: ${message}. Reload the page.`,
};

export const zh: typeof en = {
  unreachable: '无法连接服务器，控制台会自动重试。',
  signedOut: '登录已失效，请重新登录。',
  forbidden: '您的角色无权执行此操作。',
  notFound: '该对象已不存在。',
  tooLarge: '内容过大，请分次发送。',
  tooMany: '尝试次数过多，请稍候。',
  unavailable: '暂时无法执行，请稍后再试。',
  refused: '服务器拒绝了该操作。',
  server: (message) => `（${message}）`,
  clipboard: '浏览器未能复制，请手动选择并复制。',
  program: (message) => `控制台出错：${message}。请刷新页面。`,
};
