// What of noVNC 1.7 is used; the package brings no types. https://github.com/novnc/noVNC/blob/v1.7.0/docs/API.md
declare module '@novnc/novnc' {
  class RFB extends EventTarget {
    constructor(target: HTMLElement, channel: WebSocket | string, options?: { shared?: boolean });
    scaleViewport: boolean;
    focusOnClick: boolean;
    /** A CSS background. */
    background: string;
    focus(): void;
    disconnect(): void;
    sendCtrlAltDel(): void;
  }
  export = RFB;
}
