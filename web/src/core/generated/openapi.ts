// Made by `npm run types` from docs/; not edited by hand.
export interface paths {
    "/api/auth/signup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign Up
         * @description Open an account and sign in to it.
         */
        post: operations["sign_up_api_auth_signup_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/available": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Is Available
         * @description Whether nobody has this WebChat ID.
         */
        get: operations["is_available_api_auth_available_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Me
         * @description Who is signed in; the cookie is given anew, so that it lives as long as the session.
         */
        get: operations["get_me_api_auth_me_get"];
        put?: never;
        post?: never;
        /**
         * Close Account
         * @description Close the account; what is personal is removed.
         */
        delete: operations["close_account_api_auth_me_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change Password
         * @description Set another password; all other sessions end.
         */
        post: operations["change_password_api_auth_password_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log In
         * @description Sign in with an email address or a WebChat ID.
         */
        post: operations["log_in_api_auth_login_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Log Out */
        post: operations["log_out_api_auth_logout_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Sessions
         * @description Where the account is signed in, the newest first.
         */
        get: operations["list_sessions_api_auth_sessions_get"];
        put?: never;
        post?: never;
        /**
         * Revoke Other Sessions
         * @description Sign all other devices out.
         */
        delete: operations["revoke_other_sessions_api_auth_sessions_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke Session
         * @description Sign one device out.
         */
        delete: operations["revoke_session_api_auth_sessions__session_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Version */
        get: operations["get_version_api_version_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/profiles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Profiles
         * @description The profiles behind ids, in their order; without those who have no account.
         */
        get: operations["list_profiles_api_social_profiles_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/profiles/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Search
         * @description Whoever has exactly this WebChat ID, then those whose id begins so.
         *
         *     For what is in no WebChat ID: those whom I follow with it in their display names, or with these initial consonants
         *     (ㄱㅁㅈ finds 김민지).
         */
        get: operations["search_api_social_profiles_search_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/profiles/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Mine */
        get: operations["get_mine_api_social_profiles_me_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change Mine
         * @description Change what is given; those who follow me see it at once.
         */
        patch: operations["change_mine_api_social_profiles_me_patch"];
        trace?: never;
    };
    "/api/social/profiles/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Profile */
        get: operations["get_profile_api_social_profiles__user_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/following": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Following
         * @description Those whom I follow, the newest first.
         */
        get: operations["list_following_api_social_following_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/followers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Followers
         * @description Those who follow me, the newest first.
         */
        get: operations["list_followers_api_social_followers_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/following/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Follow
         * @description Follow someone; at most 2,000 people, and nobody with a block between.
         */
        put: operations["follow_api_social_following__user_id__put"];
        post?: never;
        /** Unfollow */
        delete: operations["unfollow_api_social_following__user_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/blocks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Blocks
         * @description Those whom I blocked, the newest first.
         */
        get: operations["list_blocks_api_social_blocks_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/social/blocks/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Block
         * @description Block someone; the follows between the two end.
         */
        put: operations["block_api_social_blocks__user_id__put"];
        post?: never;
        /** Unblock */
        delete: operations["unblock_api_social_blocks__user_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Rooms
         * @description My rooms, the newest activity first.
         */
        get: operations["list_rooms_api_rooms_get"];
        put?: never;
        /**
         * Create Room
         * @description Open a group, or the direct room of a pair: 200 with the one that exists.
         */
        post: operations["create_room_api_rooms_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Search
         * @description Messages whose text has `q` in it, newest first, in the rooms I am in or in one of them.
         *
         *     Width, case and ways of composing do not matter; everything else does, `%` and `_` too. Hidden direct rooms are
         *     searched as well. A page may be empty and have a `next` all the same: a call looks at 20,000 messages at most.
         */
        get: operations["search_api_rooms_search_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{room_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Room
         * @description A room with its members.
         */
        get: operations["get_room_api_rooms__room_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change Room
         * @description Change the title or the pin for everyone, the mute mark for oneself.
         */
        patch: operations["change_room_api_rooms__room_id__patch"];
        trace?: never;
    };
    "/api/rooms/{room_id}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Invite */
        post: operations["invite_api_rooms__room_id__members_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{room_id}/members/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Leave
         * @description Leave a group; hide a direct room.
         */
        delete: operations["leave_api_rooms__room_id__members_me_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{room_id}/members/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Remove */
        delete: operations["remove_api_rooms__room_id__members__user_id__delete"];
        options?: never;
        head?: never;
        /**
         * Set Role
         * @description The owner gives a role; who gives `owner` away becomes an admin.
         */
        patch: operations["set_role_api_rooms__room_id__members__user_id__patch"];
        trace?: never;
    };
    "/api/rooms/{room_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List Messages */
        get: operations["list_messages_api_rooms__room_id__messages_get"];
        put?: never;
        /**
         * Send Message
         * @description Send a message; a repeat of its `client_id` gets the first one, with 200.
         */
        post: operations["send_message_api_rooms__room_id__messages_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{room_id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Events
         * @description Who came, went, was given a role; new titles and pins: ascending by version, from my joining on.
         *
         *     The joinings with which the room began are left out, and so is what is older than events are kept (30 days where
         *     nothing else is set). A page may be empty and have a `next` all the same: a call looks at 5,000 versions at most.
         */
        get: operations["list_events_api_rooms__room_id__events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/attachments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload
         * @description Store a file for a room, or an avatar; a repeat of its `client_id` gets the first.
         */
        post: operations["upload_api_media_attachments_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/attachments/{attachment_id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Content
         * @description For members of the room; an avatar is for everyone who is signed in.
         */
        get: operations["get_content_api_media_attachments__attachment_id__content_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media/attachments/{attachment_id}/thumbnail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get Thumbnail */
        get: operations["get_thumbnail_api_media_attachments__attachment_id__thumbnail_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/figures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Figures
         * @description Get the main figures of every service, at most two seconds old. Only for the users in `OPERATORS`.
         */
        get: operations["get_figures_api_ops_figures_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** Closing */
        Closing: {
            /** Password */
            password: string;
        };
        /** LogIn */
        LogIn: {
            /** Login */
            login: string;
            /** Password */
            password: string;
        };
        /** PasswordChange */
        PasswordChange: {
            /** Current Password */
            current_password: string;
            /** New Password */
            new_password: string;
        };
        /** SignUp */
        SignUp: {
            /** Email */
            email: string;
            /** Password */
            password: string;
            /** Webchat Id */
            webchat_id: string;
            /** Display Name */
            display_name: string;
        };
        /**
         * User
         * @description The signed-in person, as only that person sees it.
         */
        User: {
            user_id: string;
            email: string;
            webchat_id: string;
            display_name: string;
        };
        /**
         * ProblemDetails
         * @description The body of every HTTP error (RFC 9457).
         */
        ProblemDetails: {
            type: string;
            title: string;
            status: number;
            detail: string;
            /** @default [] */
            errors?: components["schemas"]["FieldError"][];
        };
        /** FieldError */
        FieldError: {
            field: string;
            message: string;
        };
        /** Availability */
        Availability: {
            available: boolean;
        };
        /**
         * SessionView
         * @description A signed-in device, as its user sees it.
         */
        SessionView: {
            session_id: string;
            created_at: string;
            last_seen_at: string;
            user_agent: string;
            address: string;
            current: boolean;
        };
        /**
         * ProfileChange
         * @description What is left out stays as it is; only the avatar can be taken away with null.
         */
        ProfileChange: {
            /**
             * Display Name
             * @default
             */
            display_name?: string;
            /**
             * Status Message
             * @default
             */
            status_message?: string;
            /** Avatar Attachment Id */
            avatar_attachment_id?: string | null;
        };
        /**
         * Profile
         * @description A person as `followed` by the one who asks sees them.
         */
        Profile: {
            user_id: string;
            webchat_id: string;
            display_name: string;
            status_message: string;
            avatar_url: string | null;
            followed: boolean;
        };
        /** Invitation */
        Invitation: {
            /** User Ids */
            user_ids: string[];
        };
        /** NewMessage */
        NewMessage: {
            /** Client Id */
            client_id: string;
            /**
             * Body
             * @default
             */
            body?: string;
            /** Reply To */
            reply_to?: number | null;
            /**
             * Attachment Ids
             * @default []
             */
            attachment_ids?: string[];
            /**
             * Mentions
             * @default []
             */
            mentions?: string[];
        };
        /**
         * NewRoom
         * @description Direct: with `user_id`. Group: with `title`, and perhaps `user_ids`.
         */
        NewRoom: {
            /**
             * Kind
             * @enum {string}
             */
            kind: "direct" | "group";
            /**
             * User Id
             * @default
             */
            user_id?: string;
            /**
             * Title
             * @default
             */
            title?: string;
            /**
             * User Ids
             * @default []
             */
            user_ids?: string[];
        };
        /** RoleChange */
        RoleChange: {
            /**
             * Role
             * @enum {string}
             */
            role: "owner" | "admin" | "member";
        };
        /**
         * RoomChange
         * @description What is left out stays as it is; `pinned_seq` null unpins.
         */
        RoomChange: {
            /**
             * Title
             * @default
             */
            title?: string;
            /**
             * Muted
             * @default false
             */
            muted?: boolean;
            /** Pinned Seq */
            pinned_seq?: number | null;
        };
        /**
         * Room
         * @description A room as one of its members sees it; `unread` = `last_seq` - `read_seq`.
         */
        Room: {
            room_id: string;
            /** @enum {unknown} */
            kind: "direct" | "group";
            title: string;
            member_count: number;
            version: number;
            last_seq: number;
            read_seq: number;
            unread: number;
            muted: boolean;
            /** @enum {unknown} */
            role: "admin" | "member" | "owner";
            /** @default null */
            last_message?: components["schemas"]["Message"] | null;
            /** @default null */
            peer_id?: string | null;
            /** @default null */
            pinned_seq?: number | null;
        };
        /**
         * Message
         * @description `version` is that of its `message.created` and never changes; reactions are sets: their order means nothing.
         */
        Message: {
            room_id: string;
            seq: number;
            version: number;
            sender_id: string;
            client_id: string;
            /** @enum {unknown} */
            kind: "file" | "text";
            body: string;
            at: string;
            /** @default null */
            edited_at?: string | null;
            /** @default false */
            deleted?: boolean;
            /** @default null */
            reply_to?: number | null;
            /** @default [] */
            attachments?: components["schemas"]["Attachment"][];
            /** @default [] */
            mentions?: string[];
            /** @default {} */
            reactions?: {
                [key: string]: string[];
            };
        };
        /**
         * Attachment
         * @description `url` and `thumbnail_url` are API paths: membership is checked behind them.
         */
        Attachment: {
            attachment_id: string;
            filename: string;
            content_type: string;
            size: number;
            /** @default null */
            width?: number | null;
            /** @default null */
            height?: number | null;
            url: string;
            /** @default null */
            thumbnail_url?: string | null;
        };
        /** RoomDetail */
        RoomDetail: {
            room_id: string;
            /** @enum {unknown} */
            kind: "direct" | "group";
            title: string;
            member_count: number;
            version: number;
            last_seq: number;
            read_seq: number;
            unread: number;
            muted: boolean;
            /** @enum {unknown} */
            role: "admin" | "member" | "owner";
            /** @default null */
            last_message?: components["schemas"]["Message"] | null;
            /** @default null */
            peer_id?: string | null;
            /** @default null */
            pinned_seq?: number | null;
            members: components["schemas"]["Member"][];
        };
        /** Member */
        Member: {
            user_id: string;
            /** @enum {unknown} */
            role: "admin" | "member" | "owner";
            read_seq: number;
            joined_at: string;
        };
        /** Version */
        Version: {
            version: number;
        };
        /**
         * MessageList
         * @description Ascending by seq; `version` is that of the room when the page was read.
         */
        MessageList: {
            items: components["schemas"]["Message"][];
            has_more: boolean;
            version: number;
        };
        /**
         * MemberJoined
         * @description `read_seq` is where the member's reading starts; nothing at or below it is seen by them.
         */
        MemberJoined: {
            /** @enum {unknown} */
            op: "member.joined";
            room_id: string;
            version: number;
            at: string;
            user_id: string;
            by: string;
            /** @enum {unknown} */
            role: "admin" | "member" | "owner";
            read_seq: number;
        };
        /**
         * MemberLeft
         * @description `by` is the member itself, or who removed it.
         */
        MemberLeft: {
            /** @enum {unknown} */
            op: "member.left";
            room_id: string;
            version: number;
            at: string;
            user_id: string;
            by: string;
        };
        /** MemberRoleChanged */
        MemberRoleChanged: {
            /** @enum {unknown} */
            op: "member.role_changed";
            room_id: string;
            version: number;
            at: string;
            user_id: string;
            by: string;
            /** @enum {unknown} */
            role: "admin" | "member" | "owner";
        };
        /**
         * RoomUpdated
         * @description Only what changed is there; `pinned_seq` null: nothing is pinned any more.
         */
        RoomUpdated: {
            /** @enum {unknown} */
            op: "room.updated";
            room_id: string;
            version: number;
            at: string;
            by: string;
            title?: string;
            pinned_seq?: number | null;
        };
        /**
         * Figures
         * @description The figures of all services at a time in seconds since 1970. Two of them give rates.
         */
        Figures: {
            at: number;
            services: components["schemas"]["ServiceFigures"][];
        };
        /**
         * ServiceFigures
         * @description The sums of a service. `codes` counts errors by code. Counters start at 0 when a process starts.
         */
        ServiceFigures: {
            name: string;
            replicas: components["schemas"]["Replica"][];
            numbers: {
                [key: string]: number;
            };
            codes: {
                [key: string]: number;
            };
            histograms: {
                [key: string]: components["schemas"]["Histogram"];
            };
        };
        /**
         * Replica
         * @description A process. `up`: it answers. `missing`: the dependencies that its /readyz reports as missing or degraded.
         */
        Replica: {
            address: string;
            up: boolean;
            missing: string[];
        };
        /**
         * Histogram
         * @description Cumulative counts of the values up to each bound, one more count for all values, and the sum of the values.
         */
        Histogram: {
            bounds: number[];
            counts: number[];
            sum: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    sign_up_api_auth_signup_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignUp"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    is_available_api_auth_available_get: {
        parameters: {
            query: {
                webchat_id: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Availability"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_me_api_auth_me_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    close_account_api_auth_me_delete: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Closing"];
            };
        };
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    change_password_api_auth_password_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    log_in_api_auth_login_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LogIn"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    log_out_api_auth_logout_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_sessions_api_auth_sessions_get: {
        parameters: {
            query?: {
                /** @description `next` of the page before */
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["SessionView"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    revoke_other_sessions_api_auth_sessions_delete: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    revoke_session_api_auth_sessions__session_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_version_api_version_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_profiles_api_social_profiles_get: {
        parameters: {
            query: {
                user_ids: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Profile"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    search_api_social_profiles_search_get: {
        parameters: {
            query: {
                /** @description at least 2 characters */
                webchat_id: string;
                /** @description `next` of the page before */
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Profile"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_mine_api_social_profiles_me_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Profile"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    change_mine_api_social_profiles_me_patch: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProfileChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Profile"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_profile_api_social_profiles__user_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Profile"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_following_api_social_following_get: {
        parameters: {
            query?: {
                /** @description `next` of the page before */
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Profile"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_followers_api_social_followers_get: {
        parameters: {
            query?: {
                /** @description `next` of the page before */
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Profile"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    follow_api_social_following__user_id__put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    unfollow_api_social_following__user_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_blocks_api_social_blocks_get: {
        parameters: {
            query?: {
                /** @description `next` of the page before */
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Profile"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    block_api_social_blocks__user_id__put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    unblock_api_social_blocks__user_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_rooms_api_rooms_get: {
        parameters: {
            query?: {
                /** @description `next` of the page before */
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Room"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    create_room_api_rooms_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewRoom"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Room"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    search_api_rooms_search_get: {
        parameters: {
            query: {
                /** @description 2 to 100 characters once they are normalised */
                q: string;
                /** @description only in this room */
                room_id?: string | null;
                /** @description `next` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Message"][];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_room_api_rooms__room_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomDetail"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    change_room_api_rooms__room_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RoomChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Room"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    invite_api_rooms__room_id__members_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Invitation"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    leave_api_rooms__room_id__members_me_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    remove_api_rooms__room_id__members__user_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    set_role_api_rooms__room_id__members__user_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RoleChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_messages_api_rooms__room_id__messages_get: {
        parameters: {
            query?: {
                before?: number | null;
                after?: number | null;
                around?: number | null;
                at?: string | null;
                offset?: number | null;
                limit?: number;
            };
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageList"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    send_message_api_rooms__room_id__messages_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewMessage"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    list_events_api_rooms__room_id__events_get: {
        parameters: {
            query?: {
                /** @description only above this version */
                after?: number;
                /** @description only below this version */
                before?: number;
                /** @description `next` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path: {
                room_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: (components["schemas"]["MemberJoined"] | components["schemas"]["MemberLeft"] | components["schemas"]["MemberRoleChanged"] | components["schemas"]["RoomUpdated"])[];
                        next: string | null;
                    };
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    upload_api_media_attachments_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    /** Format: binary */
                    file: string;
                    room_id?: string;
                    client_id?: string;
                };
                "application/json": {
                    filename: string;
                    data: string;
                    room_id?: string;
                    client_id?: string;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Attachment"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_content_api_media_attachments__attachment_id__content_get: {
        parameters: {
            query?: never;
            header?: {
                range?: string | null;
                "if-range"?: string | null;
                "if-none-match"?: string | null;
            };
            path: {
                attachment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description A range of them */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description An address to get them from, for a minute at the most */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description As they were */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description No such range */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_thumbnail_api_media_attachments__attachment_id__thumbnail_get: {
        parameters: {
            query?: never;
            header?: {
                "if-none-match"?: string | null;
            };
            path: {
                attachment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description A range of them */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description An address to get them from, for a minute at the most */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description As they were */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description No such range */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    get_figures_api_ops_figures_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Figures"];
                };
            };
            /** @description Client Error */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
}
