export {
  DependencyRefused,
  DependencyUnavailable,
  httpClient,
  type HttpCall,
  type HttpClient,
  type HttpClientOptions,
} from './http-client.js';
