// What a folder says of its pages; the router and the menu are made from these alone.
import type { ComponentType } from 'react';

export type PageEntry = {
  /** e.g. '/servers/$id' */
  path: string;
  /** Loaded when somebody goes there. */
  load(): Promise<ComponentType>;
  /** Fills the window, without menu and header. */
  bare?: boolean;
  /** For who is not signed in, too. */
  open?: boolean;
};
