internal import Contract
internal import HTTPTypes

/// The description of the HTTP API, made from the routes themselves (OpenAPI 3.1).
enum OpenAPI {
    static func document(_ routes: [Route], version: String) -> JSONValue {
        var paths: [String: [String: JSONValue]] = [:]
        for route in routes {
            paths[route.path, default: [:]][route.method.rawValue.lowercased()] = operation(route)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Switchback", "version": .string(version),
                "description": "Run fleets of terminal agents, watch them, and scrub back through everything they did.",
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "schemas": .object(OpenAPISchemas.all),
                "securitySchemes": [
                    "bearer": ["type": "http", "scheme": "bearer"],
                    "cookie": ["type": "apiKey", "in": "cookie", "name": .string(Access.cookie)],
                ],
            ],
        ]
    }

    private static func operation(_ route: Route) -> JSONValue {
        var operation: [String: JSONValue] = [
            "operationId": .string(route.name), "summary": .string(route.about),
            "responses": .object(responses(route)),
        ]
        let path = route.pathNames.map { name in
            parameter(
                .init(name: name, about: "Id, name, or the unique beginning of an id.", isRequired: true), in: "path")
        }
        let parameters = path + route.query.map { parameter($0, in: "query") } + route.headers.map { parameter($0, in: "header") }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = route.body {
            operation["requestBody"] = ["required": true, "content": .object([body.type: ["schema": body.schema]])]
        }
        if let role = route.role {
            operation["security"] = [["bearer": []], ["cookie": []]]
            operation["x-role"] = .string(role.rawValue)
        } else {
            operation["security"] = []
        }
        return .object(operation)
    }

    private static func responses(_ route: Route) -> [String: JSONValue] {
        var good: [String: JSONValue] = ["description": .string(route.status.reasonPhrase)]
        if !route.answers.isEmpty {
            var content: [String: JSONValue] = [:]
            for answer in route.answers { content[answer.type] = ["schema": answer.schema] }
            good["content"] = .object(content)
        }
        var responses: [String: JSONValue] = [String(route.status.code): .object(good)]
        let error: JSONValue = [
            "description": "What went wrong and what can be done.",
            "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
        ]
        if route.role != nil { responses["default"] = error }
        return responses
    }

    private static func parameter(_ parameter: Route.Parameter, in place: String) -> JSONValue {
        [
            "name": .string(parameter.name), "in": .string(place), "description": .string(parameter.about),
            "required": .bool(parameter.isRequired), "schema": parameter.schema,
        ]
    }
}
