//! The interfaces of language models that are understood, told apart by their paths.

/// Whose requests and replies they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Api {
    /// Chat completions, as OpenAI has them and many others do.
    #[default]
    ChatCompletions,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Embeddings, as OpenAI has them: what comes back is not recorded by its content.
    Embeddings,
}

impl Api {
    /// The interface at a path, whatever stands before it; `None` for any other path.
    ///
    /// ```
    /// use recount::capture::llm::Api;
    ///
    /// assert_eq!(Api::at("/v1/messages"), Some(Api::Messages));
    /// assert_eq!(Api::at("/v1/models"), None);
    /// ```
    pub fn at(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        [
            Self::ChatCompletions,
            Self::Responses,
            Self::Messages,
            Self::Embeddings,
        ]
        .into_iter()
        .find(|api| path.ends_with(api.path()))
    }

    /// How its path ends.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Responses => "/responses",
            Self::Messages => "/messages",
            Self::Embeddings => "/embeddings",
        }
    }

    /// Its operation, as OpenTelemetry names them.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            _ => "chat",
        }
    }

    /// Who is known by it, as in `gen_ai.provider.name`.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Messages => "anthropic",
            _ => "openai",
        }
    }
}
