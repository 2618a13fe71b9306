// Doing something to a resource: ask first where something can be lost, say what went wrong, look again afterwards.
import { useMutation, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { App } from 'antd';
import type { ReactNode } from 'react';
import { useText } from './language.tsx';
import { Problem } from './problem.tsx';
import { kitText } from './text.ts';

type Options<V> = {
  run(value: V): Promise<unknown>;
  /** Queries whose answers the action changes. */
  refresh: readonly QueryKey[];
  /** Said when it worked. */
  done?: string;
};

/** A mutation that reports its errors itself. `mutate(value)` starts it. */
export function useAction<V = void>({ run, refresh, done }: Options<V>) {
  const queries = useQueryClient();
  const { message, notification } = App.useApp();
  const t = useText(kitText);
  return useMutation({
    mutationFn: run,
    onSuccess: () => void (done === undefined ? undefined : message.success(done)),
    onError: (error) =>
      void notification.error({
        title: t.problem,
        description: <Problem error={error} />,
        duration: 12,
        role: 'alert',
      }),
    onSettled: () => Promise.all(refresh.map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });
}

type Question = {
  title: ReactNode;
  /** What will be lost, or what follows; in words. */
  content: ReactNode;
  okText: string;
  danger?: boolean;
  run(): Promise<unknown>;
};

/** Asks before `run`; the dialog stays with the error when it fails. */
export function useConfirm(): (question: Question) => void {
  const { modal } = App.useApp();
  const t = useText(kitText);
  return ({ title, content, okText, danger, run }) => {
    const dialog = modal.confirm({
      title,
      content,
      okText,
      cancelText: t.cancel,
      okButtonProps: { danger: danger ?? true },
      maskClosable: true,
      // With the callback nothing is rejected that nobody would catch.
      onOk(close: () => void) {
        dialog.update({ okButtonProps: { danger: danger ?? true, loading: true } });
        run().then(
          () => close(),
          (error: unknown) =>
            dialog.update({
              okButtonProps: { danger: danger ?? true, loading: false },
              content: (
                <>
                  {content}
                  <Problem error={error} />
                </>
              ),
            }),
        );
      },
    });
  };
}

/** Does the same to many at once, a few at a time; rejects with all the errors when some failed. */
export async function forEach<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items];
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      await run(item).catch((error: unknown) => errors.push(error));
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new AggregateError(
      errors,
      `${errors.length}/${items.length}: ${errors.map((error) => (error instanceof Error ? error.message : String(error))).join('\n')}`,
    );
}
