export const en = {
  title: "listeners",
};

export const zh: typeof en = {
  title: "listeners",
};
