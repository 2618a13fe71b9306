// A form over the page: what the server refuses is said at its field, and nothing that was typed is lost.
import { Flex, Form, Modal, type FormInstance } from 'antd';
import { useId, useState, type ReactNode } from 'react';
import { ApiError } from './api.ts';
import { useText } from './language.tsx';
import { Problem } from './problem.tsx';
import { kitText } from './text.ts';

type Props<V extends object> = {
  title: string;
  open: boolean;
  onClose(): void;
  initial: Partial<V>;
  /** Rejects with what the server answered. */
  submit(values: V): Promise<unknown>;
  okText?: string;
  /** Pixels. */
  width?: number;
  children: ReactNode | ((form: FormInstance<V>) => ReactNode);
};

/** The form is new each time it opens. */
export function FormDialog<V extends object>(props: Props<V>) {
  const { title, open, onClose } = props;
  return open ? <OpenDialog {...props} key={title} onClose={onClose} /> : null;
}

function OpenDialog<V extends object>({
  title,
  onClose,
  initial,
  submit,
  okText,
  width = 560,
  children,
}: Props<V>) {
  const t = useText(kitText);
  const [form] = Form.useForm<V>();
  // The page below may have fields of the same names.
  const id = useId();
  const [error, setError] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const send = async (values: V): Promise<void> => {
    setSending(true);
    setError(null);
    try {
      await submit(values);
      onClose();
    } catch (reason) {
      setError(reason);
      const field = reason instanceof ApiError ? reason.field?.split('.').at(-1) : undefined;
      if (field !== undefined && field in (form.getFieldsValue() as object))
        form.setFields([{ name: field as never, errors: [(reason as Error).message] }]);
    } finally {
      setSending(false);
    }
  };
  return (
    <Modal
      open
      title={title}
      width={width}
      okText={okText ?? t.create}
      cancelText={t.cancel}
      confirmLoading={sending}
      mask={{ closable: false }}
      onCancel={onClose}
      onOk={() => form.submit()}
    >
      <Form<V>
        form={form}
        name={id}
        layout="vertical"
        initialValues={initial}
        onFinish={(values) => void send(values)}
        requiredMark="optional"
        scrollToFirstError
      >
        <Flex vertical gap={4}>
          {typeof children === 'function' ? children(form) : children}
        </Flex>
      </Form>
      {error === null ? null : <Problem error={error} />}
    </Modal>
  );
}
