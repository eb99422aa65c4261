export const en = {
  title: "live",
};

export const zh: typeof en = {
  title: "live",
};
