export {
  DependencyRefused,
  DependencyUnavailable,
  httpClient,
  type HttpClient,
  type HttpClientOptions,
} from './http-client.js';
