// Making and changing a user, and giving a new password.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { App, Button, Form, Input, Select, Space, Typography, type FormInstance } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { grantInProject } from '../assignments/api.ts';
import { domainsQuery, projectsQuery } from '../projects/api.ts';
import { rolesQuery } from '../roles/api.ts';
import { createUser, updateUser, type User } from './api.ts';
import { makePassword } from './password.ts';
import { userText } from './text.ts';

function PasswordItem({ form, label }: { form: FormInstance; label: string }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const random = (bytes: Uint8Array): Uint8Array => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
  return (
    <Form.Item label={label} htmlFor="password" required extra={t.show}>
      <Space.Compact block>
        <Form.Item name="password" noStyle rules={[{ required: true, message: kit.required }]}>
          <Input.Password id="password" autoComplete="new-password" />
        </Form.Item>
        <Button onClick={() => form.setFieldsValue({ password: makePassword(random) })}>{t.generate}</Button>
        <Form.Item noStyle shouldUpdate>
          {() => <CopyButton text={String(form.getFieldValue('password') ?? '')} />}
        </Form.Item>
      </Space.Compact>
    </Form.Item>
  );
}

function CopyButton({ text }: { text: string }) {
  const kit = useText(kitText);
  const { message } = App.useApp();
  return (
    <Button
      disabled={text === ''}
      onClick={() =>
        void navigator.clipboard.writeText(text).then(
          () => message.success(kit.copied),
          () => message.error(kit.problem),
        )
      }
    >
      {kit.copy}
    </Button>
  );
}

type Fields = {
  name: string;
  email?: string;
  description?: string;
  domain_id: string;
  password: string;
  project?: string;
  role?: string;
};

/** Only what was filled in: an absent field is not an empty one. */
const given = (fields: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, value]],
    ),
  );

export function CreateUser({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  const domains = useQuery({ ...domainsQuery, enabled: open });
  const projects = useQuery({ ...projectsQuery, enabled: open });
  const roles = useQuery({ ...rolesQuery, enabled: open });
  const member = roles.data?.find(({ name }) => name === 'member')?.id;
  return (
    <FormDialog<Fields>
      title={t.create}
      open={open}
      onClose={onClose}
      initial={{ domain_id: 'default' }}
      submit={async ({ name, email, description, domain_id, password, project, role }) => {
        const user = await createUser({
          name,
          domain_id,
          password,
          ...given({ email, description, default_project_id: project }),
        });
        await queries.invalidateQueries({ queryKey: ['users'] });
        const roleId = role ?? member;
        if (project !== undefined && roleId !== undefined)
          await grantInProject(project, { kind: 'user', id: user.id }, roleId);
        await queries.invalidateQueries({ queryKey: ['assignments'] });
        message.success(t.created);
      }}
    >
      {(form) => (
        <>
          <Form.Item name="name" label={kit.name} rules={[{ required: true, message: kit.required }]}>
            <Input autoFocus autoComplete="off" maxLength={255} />
          </Form.Item>
          <PasswordItem form={form} label={t.password} />
          <Form.Item name="email" label={t.email}>
            <Input type="email" autoComplete="off" />
          </Form.Item>
          <Form.Item name="description" label={kit.description}>
            <Input />
          </Form.Item>
          <Form.Item name="domain_id" label={t.domain} hidden={(domains.data?.length ?? 0) < 2}>
            <Select options={domains.data?.map(({ id, name }) => ({ value: id, label: name })) ?? []} />
          </Form.Item>
          <Form.Item name="project" label={t.project} extra={t.projectHint}>
            <Select
              allowClear
              showSearch={{ optionFilterProp: 'label' }}
              loading={projects.isPending}
              options={projects.data?.map(({ id, name }) => ({ value: id, label: name })) ?? []}
            />
          </Form.Item>
          <Form.Item noStyle shouldUpdate>
            {() =>
              form.getFieldValue('project') === undefined ? null : (
                <Form.Item name="role" label={t.role} initialValue={member}>
                  <Select
                    loading={roles.isPending}
                    options={roles.data?.map(({ id, name }) => ({ value: id, label: name })) ?? []}
                  />
                </Form.Item>
              )
            }
          </Form.Item>
        </>
      )}
    </FormDialog>
  );
}

export function EditUser({ user, onClose }: { user: User | null; onClose(): void }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  return (
    <FormDialog<Pick<Fields, 'name' | 'email' | 'description'>>
      title={t.edit}
      okText={kit.save}
      open={user !== null}
      onClose={onClose}
      initial={user ?? {}}
      submit={async ({ name, email, description }) => {
        if (user === null) return;
        await updateUser(user.id, {
          name,
          ...((email ?? '') === (user.email ?? '') ? {} : { email: email ?? '' }),
          ...((description ?? '') === (user.description ?? '') ? {} : { description: description ?? '' }),
        });
        message.success(t.changed);
        await queries.invalidateQueries({ queryKey: ['users'] });
      }}
    >
      <Form.Item name="name" label={kit.name} rules={[{ required: true, message: kit.required }]}>
        <Input autoFocus maxLength={255} />
      </Form.Item>
      <Form.Item name="email" label={t.email}>
        <Input type="email" />
      </Form.Item>
      <Form.Item name="description" label={kit.description}>
        <Input />
      </Form.Item>
    </FormDialog>
  );
}

export function SetPassword({ user, onClose }: { user: User | null; onClose(): void }) {
  const t = useText(userText);
  const { message } = App.useApp();
  return (
    <FormDialog<Pick<Fields, 'password'>>
      title={t.setPassword}
      okText={t.setPassword}
      open={user !== null}
      onClose={onClose}
      initial={{}}
      submit={async ({ password }) => {
        if (user === null) return;
        await updateUser(user.id, { password });
        message.success(t.passwordChanged);
      }}
    >
      {(form) => (
        <>
          <Typography.Text strong>{user?.name}</Typography.Text>
          <PasswordItem form={form} label={t.newPassword} />
        </>
      )}
    </FormDialog>
  );
}
