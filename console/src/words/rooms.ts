export const en = {
  title: "rooms",
};

export const zh: typeof en = {
  title: "rooms",
};
