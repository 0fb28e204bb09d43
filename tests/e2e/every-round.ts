/** Whether every round runs, as before a release (`scripts/test --all`): else a software GPU does once what it takes minutes for. */
export const EVERY_ROUND = Boolean(process.env.WEB_MAMBA_ALL);

/** All cases, or, between releases, every `stride`-th of those that are alike. */
export const some = <Case>(cases: readonly Case[], stride: number): Case[] => cases.filter((_, index) => EVERY_ROUND || index % stride === 0);
