/** Requests and documents of the service. Unknown members of newer services are kept. */
export {};
