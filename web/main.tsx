// Where the console begins in the browser.
import './app/style-nonce.ts';
import { createRoot } from 'react-dom/client';
import { Console } from './app/app.tsx';
import './app/style.css';

const place = document.getElementById('root');
if (place !== null) createRoot(place).render(<Console />);
