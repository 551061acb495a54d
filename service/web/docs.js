// Shows the OpenAPI document with Swagger UI.

SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true });
