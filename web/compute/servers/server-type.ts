// Whether a server is a VM or a container, which only its image says.
import { useQuery } from '@tanstack/react-query';
import { imageQuery } from './api.ts';
import { typeOfImage, type Server, type ServerType } from './server.ts';

/** null: not known yet, or its image is gone. */
export function useServerType({ image }: Pick<Server, 'image'>): ServerType | null {
  const id = image === '' ? '' : image.id;
  const { data } = useQuery({ ...imageQuery(id), enabled: id !== '' });
  if (id === '') return 'vm';
  return data === undefined ? null : typeOfImage(data);
}
