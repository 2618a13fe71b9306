// Making and changing a project.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { App, Form, Input, Select, Switch } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { createProject, domainsQuery, updateProject, type Project, type ProjectFields } from './api.ts';
import { projectText } from './text.ts';

/** `project`: the one to change; null: a new one. */
export function ProjectForm({
  open,
  project,
  onClose,
}: {
  open: boolean;
  project: Project | null;
  onClose(): void;
}) {
  const t = useText(projectText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  const domains = useQuery({ ...domainsQuery, enabled: open });
  const save = async (fields: ProjectFields): Promise<void> => {
    if (project === null) await createProject(fields);
    else await updateProject(project.id, { name: fields.name, description: fields.description });
    message.success(project === null ? t.created : t.changed);
    await queries.invalidateQueries({ queryKey: ['projects'] });
  };
  return (
    <FormDialog<ProjectFields>
      title={project === null ? t.create : t.edit}
      okText={project === null ? kit.create : kit.save}
      open={open}
      onClose={onClose}
      initial={project ?? { name: '', description: '', domain_id: 'default', enabled: true }}
      submit={save}
    >
      <Form.Item name="name" label={kit.name} rules={[{ required: true, message: kit.required }]}>
        <Input autoFocus maxLength={64} />
      </Form.Item>
      <Form.Item name="description" label={kit.description}>
        <Input.TextArea autoSize={{ minRows: 2, maxRows: 6 }} />
      </Form.Item>
      {project === null ? (
        <>
          {(domains.data?.length ?? 0) > 1 ? (
            <Form.Item name="domain_id" label={t.domain}>
              <Select
                showSearch={{ optionFilterProp: 'label' }}
                options={domains.data?.map(({ id, name }) => ({ value: id, label: name })) ?? []}
              />
            </Form.Item>
          ) : (
            <Form.Item name="domain_id" hidden>
              <Input />
            </Form.Item>
          )}
          <Form.Item name="enabled" label={t.enabled} valuePropName="checked">
            <Switch />
          </Form.Item>
        </>
      ) : null}
    </FormDialog>
  );
}
