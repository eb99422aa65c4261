export const en = {
  title: "wall",
};

export const zh: typeof en = {
  title: "wall",
};
