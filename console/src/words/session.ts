export const en = {
  title: "session",
};

export const zh: typeof en = {
  title: "session",
};
