/** What holds for all sessions of one `promptApi`. */
export interface Settings {
  /** Tokens that a session may have read; Infinity where it may read on. */
  contextWindow: number;
  /** Tokens that an answer has at most. */
  maxTokens: number;
}
