export const en = {
  title: "server",
};

export const zh: typeof en = {
  title: "server",
};
