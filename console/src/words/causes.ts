/** Why sessions end, by the words of the protocol. */
export const en: Record<string, string> = {
  'hung up': 'hung up',
  reset: 'reset',
  kicked: 'kicked',
  idle: 'idle',
  replaced: 'replaced',
  slow: 'slow',
  refused: 'refused',
  unreachable: 'unreachable',
  done: 'done',
  failed: 'failed',
  shutdown: 'shutdown',
  'recording failed': 'recording failed',
  interrupted: 'interrupted',
  'lost node': 'lost node',
};

export const zh: typeof en = {
  'hung up': '对端挂断',
  reset: '连接重置',
  kicked: '被踢出',
  idle: '空闲超时',
  replaced: '被替换',
  slow: '读取过慢',
  refused: '被拒绝',
  unreachable: '无法到达',
  done: '已完成',
  failed: '失败',
  shutdown: '服务器关闭',
  'recording failed': '录制失败',
  interrupted: '意外中断',
  'lost node': '节点丢失',
};
