// The console as a whole: language, theme, queries, and either the door or the pages behind it.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { ApiError } from '../kit/api.ts';
import { LanguageProvider } from '../kit/language.tsx';
import { useSessionState } from '../kit/session.ts';
import { pages } from './pages.ts';
import { router } from './router.tsx';
import { SignInAgain, SignInPage } from './sign-in-page.tsx';
import { Theme } from './theme.tsx';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // What the client got wrong does not get better by asking again.
      retry: (count, error) =>
        count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      refetchIntervalInBackground: false,
    },
  },
});

const openTo = new Set(pages.flatMap(({ path, open }) => (open === true ? [path] : [])));

function Doors() {
  const { session, expired } = useSessionState();
  if (session === null && !openTo.has(location.pathname)) return <SignInPage />;
  return (
    <>
      <RouterProvider router={router} />
      {expired && session !== null ? <SignInAgain session={session} /> : null}
    </>
  );
}

export function Console() {
  return (
    <LanguageProvider>
      {/* Around the theme: what a dialog of the design library shows may ask too. */}
      <QueryClientProvider client={queries}>
        <Theme>
          <Doors />
        </Theme>
      </QueryClientProvider>
    </LanguageProvider>
  );
}
