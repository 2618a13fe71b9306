// The consoles of servers, for the pages that show one. Import this lazily: what draws them is large.
export { ConsoleLog } from './console-log.tsx';
export { GraphicalConsole } from './graphical-console.tsx';
export { SerialConsole } from './serial-console.tsx';
